/* floor: the least a container start can cost. Namespaces, one overlay, proc, a tmpfs on /dev, a bind on /data,
 * pivot_root, exec, wait, and the upper dirs removed: what `cowshed run --rm -v VOLUME:/data` is measured against.
 *
 *   floor [--net=host] [--volatile] LOWER[:LOWER...] UPPERBASE VOLUME PROG [ARGS...]
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

static void check(int failed, const char *what)
{
	if (failed) {
		fprintf(stderr, "floor: %s: %s\n", what, strerror(errno));
		_exit(125);
	}
}

static void make_dir(const char *path)
{
	check(mkdir(path, 0755) != 0 && errno != EEXIST, path);
}

/* Overlay leaves work/work and, when volatile, work/incompat/volatile/dirty behind. */
static void remove_tree(int parent, const char *name)
{
	if (unlinkat(parent, name, AT_REMOVEDIR) == 0)
		return;
	if (errno == ENOTDIR) {
		check(unlinkat(parent, name, 0) != 0, name);
		return;
	}
	int fd = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	check(dir == NULL, name);
	for (struct dirent *entry; (entry = readdir(dir));)
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			remove_tree(fd, entry->d_name);
	closedir(dir);
	check(unlinkat(parent, name, AT_REMOVEDIR) != 0, name);
}

static void child(const char *options, const char *volume, char **argv)
{
	static char *const env[] = { "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", NULL };
	char program[4096];

	check(mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) != 0, "make / a slave");
	check(mount("overlay", "merged", "overlay", 0, options) != 0, "mount overlay");
	check(chdir("merged") != 0, "enter merged");
	check(mount("proc", "proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) != 0, "mount proc");
	check(mount("tmpfs", "dev", "tmpfs", MS_NOSUID, "mode=755") != 0, "mount tmpfs on dev");
	make_dir("data");
	check(mount(volume, "data", NULL, MS_BIND, NULL) != 0, "bind the volume");
	check(syscall(SYS_pivot_root, ".", ".") != 0, "pivot_root");
	check(umount2(".", MNT_DETACH) != 0, "detach the old root");
	check(chdir("/") != 0, "enter the new root");
	snprintf(program, sizeof program, "%s%s", strchr(argv[0], '/') ? "" : "/bin/", argv[0]);
	execve(program, argv, env);
	check(1, program);
}

int main(int argc, char **argv)
{
	int flags = SIGCHLD | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNET | CLONE_NEWCGROUP;
	const char *end = "";
	char options[4096], home[64];

	for (argv++, argc--; argc > 0 && strncmp(argv[0], "--", 2) == 0; argv++, argc--) {
		if (strcmp(argv[0], "--net=host") == 0)
			flags &= ~CLONE_NEWNET;
		else if (strcmp(argv[0], "--volatile") == 0)
			end = ",volatile";
		else
			argc = 0;
	}
	if (argc < 4) {
		fprintf(stderr, "usage: floor [--net=host] [--volatile] LOWER[:LOWER...] UPPERBASE VOLUME PROG [ARGS...]\n");
		return 125;
	}
	int base = open(argv[1], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	check(base < 0, argv[1]);
	snprintf(home, sizeof home, "floor.%d", (int)getpid());
	check(fchdir(base) != 0 || mkdir(home, 0700) != 0 || chdir(home) != 0, home);
	make_dir("upper");
	make_dir("work");
	make_dir("merged");
	int length = snprintf(options, sizeof options, "lowerdir=%s,upperdir=upper,workdir=work%s", argv[0], end);
	errno = E2BIG;
	check(length >= (int)sizeof options, "overlay options");

	long pid = syscall(SYS_clone, flags, 0, 0, 0, 0);
	check(pid < 0, "clone");
	if (pid == 0)
		child(options, argv[2], argv + 3);
	int status;
	while (waitpid((pid_t)pid, &status, 0) < 0)
		check(errno != EINTR, "wait");
	check(fchdir(base) != 0, "leave the upper dirs");
	remove_tree(base, home);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
