/* Let a program believe that it runs on a processor with fewer instruction sets, at full speed.
 *
 * Linux can make the CPUID instruction fault (arch_prctl(ARCH_SET_CPUID), Intel since Ivy Bridge, AMD since Zen 5).
 * This library, preloaded, answers each fault with the true answer less the bits named in MASKED_CPUID: words of the
 * form LEAF.SUBLEAF.REGISTER=BITS, all in hexadecimal, such as "7.0.b=20" for AVX2. Libraries that choose their kernels
 * by CPUID (onnxruntime, oneDNN, OpenBLAS, numpy, torch) then choose as they would there. Instructions themselves are
 * not refused: a library that does not ask is not found out.
 *
 * cc -O2 -shared -fPIC -o masked_cpuid.so masked_cpuid.c; see as_processor.py.
 */
#define _GNU_SOURCE
#include <cpuid.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#define ARCH_SET_CPUID 0x1012
#define MOST 32

static struct { unsigned leaf, subleaf; char reg; unsigned bits; } masks[MOST];
static int count;

static void answer(int number, siginfo_t *info, void *context) {
    greg_t *regs = ((ucontext_t *)context)->uc_mcontext.gregs;
    const unsigned char *code = (const unsigned char *)regs[REG_RIP];
    (void)info;
    if (code[0] != 0x0f || code[1] != 0xa2) { /* not CPUID: a real fault */
        signal(number, SIG_DFL);
        return;
    }
    unsigned leaf = regs[REG_RAX], subleaf = regs[REG_RCX], a, b, c, d;
    syscall(SYS_arch_prctl, ARCH_SET_CPUID, 1);
    __cpuid_count(leaf, subleaf, a, b, c, d);
    syscall(SYS_arch_prctl, ARCH_SET_CPUID, 0);
    for (int i = 0; i < count; i++)
        if (masks[i].leaf == leaf && masks[i].subleaf == subleaf) {
            unsigned *reg = masks[i].reg == 'a' ? &a : masks[i].reg == 'b' ? &b : masks[i].reg == 'c' ? &c : &d;
            *reg &= ~masks[i].bits;
        }
    /* Leaf 1 has no subleaves; a caller may leave anything in ECX. */
    if (leaf == 1)
        for (int i = 0; i < count; i++)
            if (masks[i].leaf == 1 && subleaf != masks[i].subleaf) {
                unsigned *reg = masks[i].reg == 'c' ? &c : &d;
                *reg &= ~masks[i].bits;
            }
    regs[REG_RAX] = a, regs[REG_RBX] = b, regs[REG_RCX] = c, regs[REG_RDX] = d;
    regs[REG_RIP] += 2;
}

__attribute__((constructor)) static void start(void) {
    const char *text = getenv("MASKED_CPUID");
    if (!text || !*text) return;
    for (const char *word = text; word && count < MOST; word = strchr(word, ' '), word = word ? word + 1 : NULL)
        if (sscanf(word, "%x.%x.%c=%x", &masks[count].leaf, &masks[count].subleaf, &masks[count].reg,
                   &masks[count].bits) == 4)
            count++;
    struct sigaction action = {.sa_sigaction = answer, .sa_flags = SA_SIGINFO | SA_NODEFER};
    sigemptyset(&action.sa_mask);
    if (sigaction(SIGSEGV, &action, NULL) || syscall(SYS_arch_prctl, ARCH_SET_CPUID, 0)) {
        fputs("masked_cpuid: this kernel or processor cannot make CPUID fault\n", stderr);
        _exit(125);
    }
}
