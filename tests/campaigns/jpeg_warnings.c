/* Decode images as Pillow does, and say what libjpeg would have warned of.
 *
 * In:  for each image its length, 4 bytes in the order of the machine, and its bytes.
 * Out: for each image a line: warnings, 1 if decoding failed, the first message.
 */
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <jpeglib.h>

static struct jpeg_error_mgr manager;
static jmp_buf failed;
static char first[JMSG_LENGTH_MAX];

static void keep(j_common_ptr info) {
  if (!first[0]) (*info->err->format_message)(info, first);
}

static void fail(j_common_ptr info) {
  keep(info);
  longjmp(failed, 1);
}

static void warn(j_common_ptr info, int level) {
  if (level >= 0) return;
  keep(info);
  info->err->num_warnings++;
}

static void decode(struct jpeg_decompress_struct *info, unsigned char *bytes, unsigned length) {
  jpeg_create_decompress(info);
  jpeg_mem_src(info, bytes, length);
  jpeg_read_header(info, TRUE);
  jpeg_start_decompress(info);
  JSAMPARRAY row = (*info->mem->alloc_sarray)((j_common_ptr)info, JPOOL_IMAGE,
                                              info->output_width * info->output_components, 1);
  while (info->output_scanline < info->output_height) jpeg_read_scanlines(info, row, 1);
  jpeg_finish_decompress(info);
}

int main(void) {
  unsigned length;
  while (fread(&length, 4, 1, stdin) == 1) {
    unsigned char *bytes = malloc(length + 1);
    if (!bytes || fread(bytes, 1, length, stdin) != length) return 1;
    static struct jpeg_decompress_struct info;
    info.err = jpeg_std_error(&manager);
    manager.error_exit = fail;
    manager.emit_message = warn;
    first[0] = 0;
    volatile int has_failed = 1;
    if (!setjmp(failed)) {
      decode(&info, bytes, length);
      has_failed = 0;
    }
    printf("%ld %d %s\n", manager.num_warnings, has_failed, first);
    fflush(stdout);
    jpeg_destroy_decompress(&info);
    free(bytes);
  }
  return 0;
}
