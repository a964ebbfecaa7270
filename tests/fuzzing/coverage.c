/* Coverage of the kernel for libFuzzer. GCC calls `__sanitizer_cov_trace_pc` in every basic block,
   libFuzzer reads counters: the block is counted at a hash of its address. */
#include <stdint.h>

#define COUNTERS (1 << 14)

static uint8_t counters[COUNTERS];
static uintptr_t first_block;

void __sanitizer_cov_8bit_counters_init(uint8_t *begin, uint8_t *end);

__attribute__((no_sanitize("all"), no_sanitize_coverage)) void __sanitizer_cov_trace_pc(void) {
    uintptr_t block = (uintptr_t)__builtin_return_address(0);
    if (!first_block) first_block = block;
    counters[(block - first_block) % COUNTERS]++;
}

/* Comparisons of floating-point numbers are not of use to libFuzzer. */
void __sanitizer_cov_trace_cmpd(double left, double right) { (void)left, (void)right; }
void __sanitizer_cov_trace_cmpf(float left, float right) { (void)left, (void)right; }

__attribute__((constructor)) static void register_counters(void) {
    __sanitizer_cov_8bit_counters_init(counters, counters + COUNTERS);
}
