/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* A bus of its own with a scripted Berth service on it, and berthctl run against
 * it. The service is GDBus in another thread: each call is answered by what the
 * script has for its member, so a test can run berthctl and wait for it. What was
 * called is kept and can be waited for. */

#include <gio/gio.h>
#include <gio/gunixfdlist.h>

typedef struct Peer Peer;

typedef struct PeerCall {
        char *path, *interface, *member;
        char *arguments; /* as g_variant_print() has them, with types */
        GUnixFDList *fds; /* NULL if it brought none */
        gboolean interactive;
} PeerCall;

/* A bus with the service on it, that answers what the small host (peer_host_small())
 * answers. */
Peer *peer_new(void);
void peer_free(Peer *peer);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(Peer, peer_free)

/* The bus ends, under whoever is on it. */
void peer_stop_bus(Peer *peer);

const char *peer_address(const Peer *peer);
GDBusConnection *peer_connection(const Peer *peer);

/* What @member is answered from now on: @text in GVariant's notation, of @type. With an
 * interface before it ("org.berth1.Domain.GetXml") that counts for this interface only, and
 * so do calls for the properties of one ("org.berth1.Domain.GetAll"); with a
 * word after it ("Check suspend_disk") for calls whose first argument is that. */
void peer_answer(Peer *peer, const char *member, const char *type, const char *text);
void peer_answer_error(Peer *peer, const char *member, const char *name, const char *message);
/* It is never answered. */
void peer_answer_never(Peer *peer, const char *member);
/* Its last call is answered when peer_release() says so. */
void peer_answer_held(Peer *peer, const char *member);
void peer_release(Peer *peer, const char *type, const char *text);
/* The service leaves the bus instead. */
void peer_answer_leaving(Peer *peer, const char *member);

/* The next call, waited for; and how many have come that were not yet taken. */
PeerCall *peer_wait_call(Peer *peer);
int peer_calls_left(Peer *peer);
void peer_forget_calls(Peer *peer);
void peer_call_free(PeerCall *call);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(PeerCall, peer_call_free)

/* Takes the service's name, or gives it away; when this returns it is so. */
void peer_own(Peer *peer);
void peer_disown(Peer *peer);

void peer_emit(Peer *peer, const char *path, const char *interface, const char *member, const char *type,
               const char *text);

/* A guest "db" with the vCPUs 0 to 3, of which 0 and 1 are there, on two cells, and every
 * method that answers nothing, or its path. It runs; or it is in that state instead. */
#define PEER_DB "/org/berth1/domains/db"
void peer_guest_db(Peer *peer);
void peer_guest_is(Peer *peer, const char *state, unsigned pid);

/* A host that can sleep in memory, whose sleep to idle somebody blocks, and that has no swap for
 * one to disk; with no alarm set. */
void peer_power(Peer *peer);
void peer_wake_alarm_is(Peer *peer, guint64 usec);

/* The last call that was made; those before it must only read. */
PeerCall *peer_last_call(Peer *peer);

/* That the last call was this change. */
void peer_assert_change(Peer *peer, const char *path, const char *interface, const char *member, const char *arguments);

/* A run of berthctl. */
typedef struct Run {
        char *out, *err;
        int status; /* exit status; negative: the signal that ended it */
} Run;

void run_clear(Run *run);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC(Run, run_clear)

/* Runs berthctl with --address of this bus, if @peer is not NULL, and these words;
 * in a UTF-8 locale, with no size of a terminal. */
Run run_berthctl(const Peer *peer, const char *const *words);
#define RUN(peer, ...) run_berthctl(peer, (const char *const[]) { __VA_ARGS__ __VA_OPT__(, ) NULL })

/* To start it in another way: its environment can still be changed. */
GSubprocessLauncher *berthctl_launcher(GSubprocessFlags flags);
GPtrArray *berthctl_argv(const Peer *peer, const char *const *words);

/* A terminal of that size, raw: what is written to its end can be read from it. */
void terminal_make(unsigned columns, unsigned rows, int *ret_terminal, int *ret_end);

#define assert_run(run, expected_status, expected_out, expected_err)               \
        G_STMT_START {                                                             \
                g_assert_cmpstr((run).err, ==, (expected_err));                    \
                g_assert_cmpstr((run).out, ==, (expected_out));                    \
                g_assert_cmpint((run).status, ==, (expected_status));              \
        } G_STMT_END
