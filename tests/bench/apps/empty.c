// A daemon on libuv that does nothing: what none of this kind can be smaller than.
#include <uv.h>

int main(void) {
  uv_async_t nothing;
  uv_loop_t* loop = uv_default_loop();
  uv_async_init(loop, &nothing, NULL);
  return uv_run(loop, UV_RUN_DEFAULT);
}
