/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Many guests that do nothing: monitors that greet, answer the questions of which a
 * guest is made, and are quiet. Each has four vCPUs of eight, on two cells, as an x86 QEMU tells
 * them; their threads are this program's, which sleep.
 *
 * many-guests FOLDER COUNT: listens at FOLDER/g0/qmp.sock and so on, and then says
 * "ready". */

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define VCPUS 8
#define ENABLED 4

static const char greeting[] = "{\"QMP\": {\"version\": {\"qemu\": {\"micro\": 0, \"minor\": 2, \"major\": 7}, \"package\": \"\"}, \"capabilities\": [\"oob\"]}}\r\n";

typedef struct Peer {
        int fd;
        bool listens;
        unsigned number;
} Peer;

static _Noreturn void fail(const char *what) {
        fprintf(stderr, "many-guests: %s: %s\n", what, strerror(errno));
        exit(EXIT_FAILURE);
}

static pid_t threads[ENABLED];
static pthread_barrier_t barrier;
static char hotpluggable[4096], cpus[4096];

static void *sleep_for_ever(void *userdata) {
        *(pid_t *) userdata = gettid();
        pthread_barrier_wait(&barrier);
        for (;;)
                pause();
        return NULL;
}

static void start_threads(void) {
        pthread_attr_t attributes;

        pthread_barrier_init(&barrier, NULL, ENABLED + 1);
        pthread_attr_init(&attributes);
        pthread_attr_setstacksize(&attributes, 65536);
        for (unsigned i = 0; i < ENABLED; i++) {
                pthread_t thread;

                errno = pthread_create(&thread, &attributes, sleep_for_ever, threads + i);
                if (errno != 0)
                        fail("no thread");
        }
        pthread_barrier_wait(&barrier);
}

/* The last slot comes first, as with QEMU. */
static void make_answers(void) {
        char *p = hotpluggable, *q = cpus;

        for (unsigned i = VCPUS; i-- > 0;) {
                p += sprintf(p, "%s{\"props\": {\"core-id\": 0, \"thread-id\": 0, \"node-id\": %u, \"socket-id\": %u}, \"vcpus-count\": 1, ",
                             i + 1 < VCPUS ? ", " : "", i % 2, i);
                if (i < ENABLED)
                        p += sprintf(p, "\"qom-path\": \"/machine/unattached/device[%u]\", ", i);
                p += sprintf(p, "\"type\": \"qemu64-x86_64-cpu\"}");
        }
        for (unsigned i = 0; i < ENABLED; i++)
                q += sprintf(q, "%s{\"thread-id\": %d, \"props\": {\"core-id\": 0, \"thread-id\": 0, \"node-id\": %u, \"socket-id\": %u}, "
                             "\"qom-path\": \"/machine/unattached/device[%u]\", \"cpu-index\": %u, \"target\": \"x86_64\"}",
                             i > 0 ? ", " : "", (int) threads[i], i % 2, i, i, i);
}

static void answer_one(const Peer *peer, const char *line) {
        const char *id = strstr(line, "\"id\":");
        char text[8192];
        size_t length = 0;

        if (strstr(line, "\"query-uuid\""))
                length = (size_t) sprintf(text, "{\"return\": {\"UUID\": \"6d616e79-0000-4000-8000-%012x\"}", peer->number);
        else if (strstr(line, "\"query-status\""))
                length = (size_t) sprintf(text, "{\"return\": {\"status\": \"running\", \"singlestep\": false, \"running\": true}");
        else if (strstr(line, "\"query-hotpluggable-cpus\""))
                length = (size_t) sprintf(text, "{\"return\": [%s]", hotpluggable);
        else if (strstr(line, "\"query-cpus-fast\""))
                length = (size_t) sprintf(text, "{\"return\": [%s]", cpus);
        else
                length = (size_t) sprintf(text, "{\"return\": {}");
        length += (size_t) sprintf(text + length, ", \"id\": %d}\r\n", id ? atoi(id + 5) : 0);
        if (write(peer->fd, text, length) != (ssize_t) length)
                fail("an answer");
}

/* What is asked is short, and comes in whole lines. Returns false if nobody asks any more. */
static bool answer(const Peer *peer) {
        char text[4096], *line = text, *end;
        ssize_t n = read(peer->fd, text, sizeof text - 1);

        if (n <= 0)
                return false;
        text[n] = 0;
        for (; (end = strchr(line, '\n')); line = end + 1) {
                *end = 0;
                answer_one(peer, line);
        }
        return true;
}

static void peer_new(int epoll, int fd, bool listens, unsigned number) {
        Peer *peer = malloc(sizeof *peer);

        if (!peer)
                fail("no memory");
        *peer = (Peer) { .fd = fd, .listens = listens, .number = number };
        if (epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &(struct epoll_event) { .events = EPOLLIN, .data.ptr = peer }) < 0)
                fail("epoll_ctl");
}

static void listen_at(int epoll, const char *folder, unsigned number) {
        struct sockaddr_un address = { .sun_family = AF_UNIX };
        int fd, n;

        n = snprintf(address.sun_path, sizeof address.sun_path, "%s/g%u", folder, number);
        if (mkdir(address.sun_path, 0755) < 0 && errno != EEXIST)
                fail(address.sun_path);
        (void) snprintf(address.sun_path + n, sizeof address.sun_path - (size_t) n, "/qmp.sock");
        (void) unlink(address.sun_path);
        fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd < 0 || bind(fd, (const struct sockaddr *) &address, sizeof address) < 0 || listen(fd, 4) < 0)
                fail(address.sun_path);
        peer_new(epoll, fd, true, number);
}

static void handle(int epoll, Peer *peer) {
        int fd;

        if (peer->listens) {
                fd = accept4(peer->fd, NULL, NULL, SOCK_CLOEXEC);
                if (fd < 0 || write(fd, greeting, sizeof greeting - 1) < 0)
                        fail("a connection");
                peer_new(epoll, fd, false, peer->number);
        } else if (!answer(peer)) {
                (void) close(peer->fd);
                free(peer);
        }
}

int main(int argc, char *argv[]) {
        struct rlimit limit;
        int epoll;

        if (argc != 3) {
                fprintf(stderr, "many-guests FOLDER COUNT\n");
                return EXIT_FAILURE;
        }
        if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
                fail("getrlimit");
        limit.rlim_cur = limit.rlim_max;
        (void) setrlimit(RLIMIT_NOFILE, &limit);

        start_threads();
        make_answers();
        epoll = epoll_create1(EPOLL_CLOEXEC);
        if (epoll < 0)
                fail("epoll_create1");
        for (unsigned i = 0; i < (unsigned) atoi(argv[2]); i++)
                listen_at(epoll, argv[1], i);
        puts("ready");
        fflush(stdout);

        for (;;) {
                struct epoll_event events[64];
                int n = epoll_wait(epoll, events, 64, -1);

                if (n < 0 && errno != EINTR)
                        fail("epoll_wait");
                for (int i = 0; i < n; i++)
                        handle(epoll, events[i].data.ptr);
        }
}
