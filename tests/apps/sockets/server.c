/* A small server in C that knows nothing of slc. Answers each request with its pid and "Connection:
 * close".
 *
 *   server             on the sockets it is given by LISTEN_FDS, else on 127.0.0.1:$PORT, which it
 *                      binds itself with SO_REUSEPORT
 *   server --abrupt    on SIGTERM closes its listening sockets as they are; without it takes what
 *                      waits in their queues first
 *   server --slow MS   takes one connection at a time, and so long for each; on SIGTERM ends with the
 *                      one that it has
 *
 * Says READY=1 and STOPPING=1 to NOTIFY_SOCKET, and ends when the connections it has are done. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { FIRST_FD = 3, MOST = 1024, REQUEST = 4096 };

static volatile sig_atomic_t asked_to_end = 0;

static void on_term(int signal_number) {
  (void)signal_number;
  asked_to_end = 1;
}

static void fail(const char* what) {
  perror(what);
  exit(1);
}

static void notify(const char* text) {
  const char* path = getenv("NOTIFY_SOCKET");
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  if (path == NULL || strlen(path) >= sizeof address.sun_path) return;
  memcpy(address.sun_path, path, strlen(path));
  if (path[0] == '@') address.sun_path[0] = '\0';
  const socklen_t length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path));
  const int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0 || sendto(fd, text, strlen(text), 0, (struct sockaddr*)&address, length) < 0) {
    perror("NOTIFY_SOCKET");
  }
  close(fd);
}

static int bind_own(void) {
  const char* port = getenv("PORT");
  struct sockaddr_in address = {.sin_family = AF_INET};
  const int on = 1;
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  address.sin_port = htons((unsigned short)atoi(port != NULL ? port : "0"));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
      setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on) != 0 ||
      bind(fd, (struct sockaddr*)&address, sizeof address) != 0 || listen(fd, 511) != 0) {
    fail("listen");
  }
  return fd;
}

static struct pollfd watched[MOST]; /* the listening sockets, then connections */
static char requests[MOST][REQUEST];
static size_t sizes[MOST];
static int listeners = 0;
static int count = 0;
static int slow_ms = 0;

/* All that wait. */
static void take(int listener) {
  for (;;) {
    if (count == MOST || (slow_ms > 0 && count > listeners)) return;
    const int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (fd < 0) return;
    watched[count].fd = fd;
    watched[count].events = POLLIN;
    watched[count].revents = 0;
    sizes[count] = 0;
    ++count;
  }
}

static void answer(int fd) {
  char body[32];
  char text[256];
  usleep((unsigned)slow_ms * 1000);
  const int bytes = snprintf(body, sizeof body, "%d\n", (int)getpid());
  const int all = snprintf(text, sizeof text,
                           "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nX-Pid: %d\r\n"
                           "Content-Length: %d\r\nConnection: close\r\n\r\n%s",
                           (int)getpid(), bytes, body);
  if (write(fd, text, (size_t)all) < 0) perror("write");
}

/* 1 if the connection is over. */
static int serve(int i) {
  const ssize_t bytes =
      read(watched[i].fd, requests[i] + sizes[i], (size_t)(REQUEST - 1) - sizes[i]);
  if (bytes < 0 && (errno == EAGAIN || errno == EINTR)) return 0;
  if (bytes <= 0) return 1;
  sizes[i] += (size_t)bytes;
  requests[i][sizes[i]] = '\0';
  if (strstr(requests[i], "\r\n\r\n") == NULL) return sizes[i] == REQUEST - 1;
  answer(watched[i].fd);
  return 1;
}

static void serve_all(void) {
  for (int i = count - 1; i >= listeners; --i) {
    if (watched[i].revents == 0 || !serve(i)) continue;
    close(watched[i].fd);
    --count;
    if (i == count) continue;
    watched[i] = watched[count];
    sizes[i] = sizes[count];
    memcpy(requests[i], requests[count], sizes[count]);
  }
}

static void stop_listening(int abrupt) {
  for (int i = 0; i < listeners; ++i) {
    if (!abrupt) take(watched[i].fd);
    close(watched[i].fd);
    watched[i].fd = -1; /* poll passes it over */
  }
}

int main(int argc, char** argv) {
  if (argc > 2 && strcmp(argv[1], "--slow") == 0) slow_ms = atoi(argv[2]);
  const int abrupt = slow_ms > 0 || (argc > 1 && strcmp(argv[1], "--abrupt") == 0);
  struct sigaction action = {.sa_handler = on_term};
  sigset_t term;
  sigset_t before;
  sigaction(SIGTERM, &action, NULL);
  signal(SIGPIPE, SIG_IGN);
  sigemptyset(&term);
  sigaddset(&term, SIGTERM);
  /* Blocked, it would wait until nobody does. */
  sigprocmask(SIG_BLOCK, slow_ms > 0 ? NULL : &term, &before);

  const char* given = getenv("LISTEN_FDS");
  const char* whose = getenv("LISTEN_PID");
  if (given != NULL && whose != NULL && atoi(whose) == (int)getpid()) listeners = atoi(given);
  if (listeners < 0 || listeners >= MOST) return 2;
  for (int i = 0; i < listeners; ++i) watched[i].fd = FIRST_FD + i;
  if (listeners == 0) watched[listeners++].fd = bind_own();
  for (int i = 0; i < listeners; ++i) {
    watched[i].events = POLLIN;
    if (fcntl(watched[i].fd, F_SETFL, O_NONBLOCK) != 0) fail("a socket that was given");
  }
  count = listeners;
  notify("READY=1\nSTATUS=serves");

  int ending = 0;
  while (!ending || count > listeners) {
    const struct timespec look = {.tv_nsec = 50 * 1000 * 1000}; /* a signal may have come just before */
    if (ppoll(watched, (nfds_t)count, slow_ms > 0 ? &look : NULL, &before) < 0 && errno != EINTR) {
      fail("poll");
    }
    if (asked_to_end && !ending) {
      ending = 1;
      notify("STOPPING=1");
      stop_listening(abrupt);
      continue; /* what poll said is of before */
    }
    for (int i = 0; i < listeners; ++i) {
      if (watched[i].fd >= 0 && watched[i].revents != 0) take(watched[i].fd);
    }
    serve_all();
  }
  return 0;
}
