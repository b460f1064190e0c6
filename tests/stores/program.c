/* The one program in the images of the golden stores: small, static, without a library.
 *
 *   program             says hello
 *   program FILE TEXT   appends TEXT and a line's end to FILE
 *   program FILE        shows FILE
 */
#ifdef __x86_64__
static long call(long number, long a, long b, long c, long d)
{
	long result;
	register long r10 __asm__("r10") = d;
	__asm__ volatile("syscall"
			 : "=a"(result)
			 : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10)
			 : "rcx", "r11", "memory");
	return result;
}
#else
#error "the golden stores hold a program for x86_64"
#endif

enum { READ = 0, WRITE = 1, EXIT = 60, OPENAT = 257 };
enum { HERE = -100, APPEND = 02101 };

static long length(const char *text)
{
	long count = 0;
	while (text[count])
		count++;
	return count;
}

__attribute__((used)) static void begin(long *stack)
{
	long count = stack[0];
	char **words = (char **)(stack + 1);
	char bytes[512];
	long file, got, failed = 0;
	if (count == 1) {
		call(WRITE, 1, (long)"hello\n", 6, 0);
	} else if (count == 2) {
		file = call(OPENAT, HERE, (long)words[1], 0, 0);
		failed = file < 0;
		while (!failed && (got = call(READ, file, (long)bytes, sizeof bytes, 0)) > 0)
			call(WRITE, 1, (long)bytes, got, 0);
	} else {
		file = call(OPENAT, HERE, (long)words[1], APPEND, 0644);
		failed = file < 0;
		call(WRITE, file, (long)words[2], length(words[2]), 0);
		call(WRITE, file, (long)"\n", 1, 0);
	}
	call(EXIT, failed, 0, 0, 0);
}

__asm__(".globl _start\n_start:\n\tmov %rsp, %rdi\n\tand $-16, %rsp\n\tcall begin\n");
