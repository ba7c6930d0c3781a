// A program that costs nothing itself. Times are nanoseconds of the monotonic clock.
//
//   program pause FILE         appends the time of its start to FILE, and stays
//   program crash FILE         appends the time of its start to FILE, and exits with 1
//   program print MB FILE      prints MB megabytes in numbered lines of 100 bytes, 4096 bytes a write, then appends
//                              "BEGIN END FAILED" to FILE (FAILED: writes that were refused), and stays
//   program again MB FILE      prints as above over and over; a line in FILE for each time
//   program splice FILE        moves what comes on stdin into FILE, without looking at it
//   program cat FROM TO        has one cat read FROM and another write TO, with a unix socket in between; prints
//                              how long it took
//   program put SOCKET HEAD FROM   sends HEAD and FROM to a unix socket as cat would; prints how long it took until
//                              the first byte of an answer came, then the answer, to its end
#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { kLine = 100, kBlock = 4096 };

static long long Now(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1000000000LL + now.tv_nsec;
}

static void Append(const char* file, const char* text) {
  int fd = open(file, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0644);
  if (fd < 0 || write(fd, text, strlen(text)) < 0) _exit(3);
  close(fd);
}

static int PutTo(int fd, const char* data, size_t size) {
  while (size > 0) {
    ssize_t put = write(fd, data, size);
    if (put < 0) return -1;
    data += put;
    size -= (size_t)put;
  }
  return 0;
}

static int PutAll(const char* data, size_t size) { return PutTo(STDOUT_FILENO, data, size); }

static void Print(long megabytes, const char* file) {
  static char buffer[kBlock + kLine];
  const long lines = megabytes * 1000000 / kLine;
  const long long begin = Now();
  size_t used = 0;
  long failed = 0;
  for (long i = 0; i < lines; ++i) {
    char* line = buffer + used;
    long number = i;
    memset(line, 'x', kLine - 1);
    for (int digit = 9; digit-- > 0; number /= 10) line[digit] = (char)('0' + number % 10);
    line[kLine - 1] = '\n';
    used += kLine;
    if (used < kBlock && i + 1 < lines) continue;
    failed += PutAll(buffer, used) != 0;
    used = 0;
  }
  char text[96];
  snprintf(text, sizeof(text), "%lld %lld %ld\n", begin, Now(), failed);
  Append(file, text);
}

static int Splice(const char* file) {
  const size_t most = 1 << 20;
  int fd = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  ssize_t moved = 1;
  while (moved > 0) moved = splice(STDIN_FILENO, NULL, fd, NULL, most, SPLICE_F_MOVE);
  return moved == 0 ? 0 : 1;
}

static void RunCat(int from, int to) {
  if (fork() != 0) return;
  dup2(from, STDIN_FILENO);
  dup2(to, STDOUT_FILENO);
  execlp("cat", "cat", (char*)NULL);
  _exit(127);
}

static int Cat(const char* from, const char* to) {
  int ends[2];
  int in = open(from, O_RDONLY | O_CLOEXEC);
  int out = open(to, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (in < 0 || out < 0 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) return 3;
  const long long begin = Now();
  RunCat(in, ends[0]);
  RunCat(ends[1], out);
  close(ends[0]);
  close(ends[1]);
  int failed = 0;
  for (int status; wait(&status) > 0;) failed |= status;
  printf("%lld\n", Now() - begin);
  return failed != 0;
}

// A write that fails may have been refused with an answer.
static int Send(int to, const char* file) {
  static char buffer[128 << 10];  // cat's
  int from = open(file, O_RDONLY | O_CLOEXEC);
  if (from < 0) return 3;
  for (ssize_t got; (got = read(from, buffer, sizeof(buffer))) > 0;) {
    if (PutTo(to, buffer, (size_t)got) != 0) break;
  }
  close(from);
  return 0;
}

static int Put(const char* socket_path, const char* head, const char* from) {
  static char answer[64 << 10];
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  strncpy(address.sun_path, socket_path, sizeof(address.sun_path) - 1);
  int server = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (server < 0 || connect(server, (struct sockaddr*)&address, sizeof(address)) != 0) return 3;
  const long long begin = Now();
  if (Send(server, head) != 0 || Send(server, from) != 0) return 3;
  ssize_t got = read(server, answer, sizeof(answer));
  printf("%lld\n", Now() - begin);
  fflush(stdout);
  for (; got > 0; got = read(server, answer, sizeof(answer))) PutAll(answer, (size_t)got);
  return 0;
}

int main(int argc, char** argv) {
  const char* mode = argc > 2 ? argv[1] : "";
  if (strcmp(mode, "pause") == 0 || strcmp(mode, "crash") == 0) {
    char text[32];
    snprintf(text, sizeof(text), "%lld\n", Now());
    Append(argv[2], text);
    if (mode[0] == 'c') return 1;
  } else if (strcmp(mode, "splice") == 0) {
    return Splice(argv[2]);
  } else if (argc > 3 && strcmp(mode, "cat") == 0) {
    return Cat(argv[2], argv[3]);
  } else if (argc > 4 && strcmp(mode, "put") == 0) {
    signal(SIGPIPE, SIG_IGN);
    return Put(argv[2], argv[3], argv[4]);
  } else if (argc > 3 && strcmp(mode, "print") == 0) {
    Print(atol(argv[2]), argv[3]);
  } else if (argc > 3 && strcmp(mode, "again") == 0) {
    for (;;) Print(atol(argv[2]), argv[3]);
  } else {
    return 2;
  }
  for (;;) pause();
}
