/* timer: wall time of short commands, measured in turn so that drift of the machine hits all of them alike.
 *
 *   timer [-n ROUNDS] [-w WARMUP] [-o SAMPLES] @NAME[:ROUNDS] CMD [ARGS...] [@NAME[:ROUNDS] CMD [ARGS...]]...
 *   timer -t SAMPLES
 *
 * -o appends one line "NAME NANOSECONDS PEAK_RSS_KIB" for each run, and prints no table; -t prints the table of such
 * a file. The first command is the reference of the ratios. Exits 1 as soon as a command does not exit with 0.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { MAX = 32 };

struct command {
	char name[64];
	char **argv;
	long rounds, count, room, peak_kib;
	long *nanos;
};

static struct command commands[MAX];
static int command_count;

static void die(const char *what)
{
	fprintf(stderr, "timer: %s: %s\n", what, strerror(errno));
	exit(1);
}

static struct command *named(const char *name)
{
	for (int i = 0; i < command_count; i++)
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	errno = E2BIG;
	if (command_count == MAX)
		die(name);
	struct command *new = &commands[command_count++];
	snprintf(new->name, sizeof new->name, "%s", name);
	return new;
}

static void add(struct command *c, long nanos, long peak_kib)
{
	if (c->count == c->room) {
		c->room = c->room ? 2 * c->room : 64;
		c->nanos = realloc(c->nanos, (size_t)c->room * sizeof *c->nanos);
		if (!c->nanos)
			die("samples");
	}
	c->nanos[c->count++] = nanos;
	if (peak_kib > c->peak_kib)
		c->peak_kib = peak_kib;
}

static void run(struct command *c, int keep, FILE *out)
{
	static char *const env[] = { "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", NULL };
	posix_spawn_file_actions_t actions;
	struct timespec from, to;
	struct rusage usage;
	int status;
	pid_t pid;

	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
	clock_gettime(CLOCK_MONOTONIC, &from);
	errno = posix_spawnp(&pid, c->argv[0], &actions, NULL, c->argv, env);
	if (errno)
		die(c->argv[0]);
	while (wait4(pid, &status, 0, &usage) < 0)
		if (errno != EINTR)
			die("wait4");
	clock_gettime(CLOCK_MONOTONIC, &to);
	posix_spawn_file_actions_destroy(&actions);
	if (status != 0) {
		fprintf(stderr, "timer: %s: wait status 0x%x\n", c->name, (unsigned)status);
		exit(1);
	}
	long nanos = (to.tv_sec - from.tv_sec) * 1000000000L + (to.tv_nsec - from.tv_nsec);
	if (keep)
		add(c, nanos, usage.ru_maxrss);
	if (keep && out)
		fprintf(out, "%s %ld %ld\n", c->name, nanos, usage.ru_maxrss);
}

static int by_size(const void *a, const void *b)
{
	long x = *(const long *)a, y = *(const long *)b;
	return (x > y) - (x < y);
}

static double quantile(const struct command *c, double q)
{
	double at = q * (double)(c->count - 1);
	long low = (long)at, high = low + 1 < c->count ? low + 1 : low;
	return ((double)c->nanos[low] + (at - (double)low) * (double)(c->nanos[high] - c->nanos[low])) / 1e6;
}

static void table(void)
{
	printf("%-22s %5s %10s %10s %10s %10s %8s %9s\n", "command", "runs", "min ms", "median ms", "p90 ms", "max ms",
	       "ratio", "peak MiB");
	for (int i = 0; i < command_count; i++) {
		struct command *c = &commands[i];
		if (c->count == 0)
			continue;
		qsort(c->nanos, (size_t)c->count, sizeof *c->nanos, by_size);
		printf("%-22s %5ld %10.2f %10.2f %10.2f %10.2f %7.2fx %9.1f\n", c->name, c->count, quantile(c, 0),
		       quantile(c, 0.5), quantile(c, 0.9), quantile(c, 1), quantile(c, 0.5) / quantile(&commands[0], 0.5),
		       (double)c->peak_kib / 1024);
	}
}

static void table_of(const char *path)
{
	char name[64];
	long nanos, peak;
	FILE *in = fopen(path, "r");
	if (!in)
		die(path);
	while (fscanf(in, "%63s %ld %ld", name, &nanos, &peak) == 3)
		add(named(name), nanos, peak);
	fclose(in);
	table();
}

static void parse_commands(char **argv, long rounds)
{
	struct command *c = NULL;
	for (; *argv; argv++) {
		if ((*argv)[0] != '@')
			continue;
		char *colon = strchr(*argv, ':');
		if (colon)
			*colon = '\0';
		c = named(*argv + 1);
		c->rounds = colon ? atol(colon + 1) : rounds;
		c->argv = argv + 1;
		*argv = NULL; /* ends the argv of the command before */
	}
}

int main(int argc, char **argv)
{
	long rounds = 100, warmup = 3;
	FILE *out = NULL;
	int option;

	while ((option = getopt(argc, argv, "+n:w:o:t:")) != -1) {
		if (option == 't') {
			table_of(optarg);
			return 0;
		}
		if (option == 'n')
			rounds = atol(optarg);
		else if (option == 'w')
			warmup = atol(optarg);
		else if (option != 'o' || !(out = fopen(optarg, "a")))
			die("usage: timer [-n ROUNDS] [-w WARMUP] [-o SAMPLES | -t SAMPLES] @NAME[:ROUNDS] CMD [ARGS...]");
	}
	parse_commands(argv + optind, rounds);
	for (long round = -warmup; round < rounds; round++)
		for (int i = 0; i < command_count; i++) {
			struct command *c = &commands[(round + warmup + i) % command_count];
			if (round < 0 || (round + 1) * c->rounds / rounds > round * c->rounds / rounds)
				run(c, round >= 0, out);
		}
	if (out)
		return fclose(out) != 0;
	table();
	return 0;
}
