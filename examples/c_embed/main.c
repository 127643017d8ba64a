/* Prunes weights to the K of largest magnitude. Writes the result as floats, and as int8 with 5
 * fraction bits. */
#include <secateur/secateur.h>
#include <stdio.h>

enum { N = 8, K = 3 };

static int failed(sc_status status) {
  if (status != SC_OK) {
    fprintf(stderr, "secateur: %s\n", sc_last_error());
  }
  return status != SC_OK;
}

int main(void) {
  const float w[N] = {0.5f, -2.0f, 0.25f, 1.5f, -0.125f, -0.75f, 0.0f, 1.0f};
  const int32_t frac_bits = 5;
  const sc_format format = {
      .kind = SC_FORMAT_KIND_FIXED_POINT, .bits = 8, .is_signed = 1, .frac_bits = &frac_bits};
  const char* isa = NULL;
  float pruned[N];
  int8_t quantized[N];

  if (failed(sc_isa(&isa)) ||
      failed(sc_prune(w, SC_DTYPE_FLOAT32, N, K, NULL, NULL, SC_NAN_RAISE, pruned)) ||
      failed(
          sc_prune_quantize(w, SC_DTYPE_FLOAT32, N, K, &format, NULL, quantized, SC_DTYPE_INT8))) {
    return 1;
  }

  printf("secateur %s on %s\n", sc_version(), isa);
  for (int i = 0; i < N; ++i) {
    printf("%7.3f -> %7.3f -> %4d\n", (double)w[i], (double)pruned[i], quantized[i]);
  }
  return 0;
}
