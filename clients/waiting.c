/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* Waiting for a guest may take as long as it likes. So whoever waits sees for
 * what, and may leave: the signals that would end us are taken from a descriptor
 * beside the bus, and nothing is left on the terminal. A signal that is ignored
 * by whoever started us stays ignored. */

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <time.h>

#include "cleanup.h"
#include "terminal.h"
#include "units.h"
#include "waiting.h"

#define USEC_PER_SEC UINT64_C(1000000)

typedef struct Wait {
        Terminal terminal;
        const char *what; /* NULL: nothing is shown */
        uint64_t start_usec, tick_usec; /* when the line is next written */
        unsigned shown;                 /* columns that it takes now */
        int signal_fd;
        sigset_t mask_before;
        sd_bus_message *reply;
} Wait;

uint64_t monotonic_usec(void) {
        struct timespec ts;

        clock_gettime(CLOCK_MONOTONIC, &ts);
        return ts.tv_sec * USEC_PER_SEC + ts.tv_nsec / 1000;
}

/* The line */

static void line_clear(Wait *w) {
        if (w->shown == 0)
                return;
        fprintf(w->terminal.file, "\r%*s\r", (int) w->shown, "");
        fflush(w->terminal.file);
        w->shown = 0;
}

static void line_show(Wait *w, uint64_t now) {
        _cleanup_free_ char *text =
                text_format("%s … %u s", w->what, (unsigned) ((now - w->start_usec) / USEC_PER_SEC));

        line_clear(w);
        /* One that breaks could not be taken back. */
        if (!text || terminal_width(&w->terminal, text) >= w->terminal.columns)
                return;
        terminal_put(&w->terminal, text);
        fflush(w->terminal.file);
        w->shown = terminal_width(&w->terminal, text);
}

/* Life */

static int signals_take(Wait *w) {
        static const int numbers[] = { SIGINT, SIGTERM };
        struct sigaction action;
        sigset_t mask;

        sigemptyset(&mask);
        for (size_t i = 0; i < ELEMENTS(numbers); i++)
                if (sigaction(numbers[i], NULL, &action) >= 0 && action.sa_handler != SIG_IGN)
                        sigaddset(&mask, numbers[i]);
        if (sigprocmask(SIG_BLOCK, &mask, &w->mask_before) < 0)
                return -errno;
        w->signal_fd = signalfd(-1, &mask, SFD_CLOEXEC | SFD_NONBLOCK);
        return w->signal_fd < 0 ? -errno : 0;
}

static void wait_clear(Wait *w) {
        line_clear(w);
        closep(&w->signal_fd);
        (void) sigprocmask(SIG_SETMASK, &w->mask_before, NULL);
        sd_bus_message_unref(w->reply);
}

static int on_reply(sd_bus_message *m, void *userdata, sd_bus_error *ret_error) {
        Wait *w = userdata;

        w->reply = sd_bus_message_ref(m);
        return 0;
}

/* Until the bus, a signal or the clock has something; at most until @end. */
static int wait_once(Wait *w, sd_bus *bus, uint64_t end, int *ret_signal) {
        struct signalfd_siginfo info;
        uint64_t now = monotonic_usec(), until = end, bus_until;
        int r, events = sd_bus_get_events(bus);

        if (events < 0)
                return events;
        r = sd_bus_get_timeout(bus, &bus_until);
        if (r < 0)
                return r;
        if (r > 0)
                until = MIN(until, bus_until);
        if (w->what)
                until = MIN(until, w->tick_usec);

        struct pollfd fds[] = {
                { .fd = sd_bus_get_fd(bus), .events = events },
                { .fd = w->signal_fd, .events = POLLIN },
        };
        /* Rounded up: to wake before its time would be to wake twice. */
        uint64_t msec = until > now ? (until - now + 999) / 1000 : 0;
        if (poll(fds, ELEMENTS(fds), (int) MIN(msec, (uint64_t) INT32_MAX)) < 0)
                return errno == EINTR ? 0 : -errno;

        if (read(w->signal_fd, &info, sizeof info) == sizeof info) {
                *ret_signal = (int) info.ssi_signo;
                return -EINTR;
        }
        now = monotonic_usec();
        if (w->what && now >= w->tick_usec) {
                line_show(w, now);
                w->tick_usec += USEC_PER_SEC;
        }
        return now >= end ? -ETIMEDOUT : 0;
}

int waiting_call(sd_bus *bus, sd_bus_message *m, uint64_t timeout_usec, const char *what, int *ret_signal,
                 sd_bus_error *ret_error, sd_bus_message **ret_reply) {
        _cleanup_(sd_bus_slot_unrefp) sd_bus_slot *slot = NULL;
        _cleanup_(wait_clear) Wait w = { .signal_fd = -1, .start_usec = monotonic_usec() };
        uint64_t end = w.start_usec + timeout_usec;
        int r;

        terminal_open(&w.terminal, stderr);
        w.what = w.terminal.is_tty ? what : NULL;
        w.tick_usec = w.start_usec + USEC_PER_SEC;
        r = signals_take(&w);
        if (r >= 0)
                r = sd_bus_call_async(bus, &slot, m, on_reply, &w, UINT64_MAX);
        while (r >= 0 && !w.reply) {
                r = sd_bus_process(bus, NULL);
                if (r == 0 && !w.reply)
                        r = wait_once(&w, bus, end, ret_signal);
        }
        /* A bus that is lost answers its calls itself. */
        if (w.reply && sd_bus_is_open(bus) <= 0)
                return -ECONNRESET;
        if (r < 0 && !w.reply)
                return r;
        if (sd_bus_message_is_method_error(w.reply, NULL)) {
                r = sd_bus_error_copy(ret_error, sd_bus_message_get_error(w.reply));
                return r < 0 ? r : -sd_bus_message_get_errno(w.reply);
        }
        *ret_reply = TAKE(w.reply);
        return 0;
}

void waiting_end_by(int signal_number) {
        fflush(NULL);
        (void) signal(signal_number, SIG_DFL);
        (void) raise(signal_number);
}
