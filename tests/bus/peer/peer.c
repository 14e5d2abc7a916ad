/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* A service that is made of bus/ alone, and does what a test tells it: objects that
 * go and come at the worst moment, answers that come late. */

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <systemd/sd-event.h>

#include "bus/authorize.h"
#include "bus/call.h"
#include "bus/connection.h"
#include "test-object.gen.h"
#include "test.gen.h"

#define ROOT "/org/berth1"
#define OBJECTS ROOT "/objects"
#define HELD_MAX 8u

struct TestObject {
        Peer *peer;
        TestObject *next;
        Object *object;
        uint32_t number;
};

struct Peer {
        Tree *tree;
        TestObject *objects;
        Call *held[HELD_MAX];
        TestObject *holders[HELD_MAX];  /* may be gone; compared, not followed */
        size_t n_held;
};

static const char *path_of(const char *name, char *buffer, size_t size) {
        snprintf(buffer, size, OBJECTS "/%s", name);
        return buffer;
}

static int peer_add(Peer *peer, const char *name) {
        TestObject *model;
        char path[128];
        int r;

        model = calloc(1, sizeof *model);
        if (!model)
                return -ENOMEM;
        model->peer = peer;
        r = object_new(peer->tree, path_of(name, path, sizeof path), &model->object);
        if (r >= 0)
                r = object_add_face(model->object, &test_object_interface, model);
        if (r >= 0)
                r = object_publish(model->object);
        if (r < 0) {
                free(model);
                return r;
        }
        model->next = peer->objects;
        peer->objects = model;
        return 0;
}

static TestObject *peer_find(Peer *peer, const char *name) {
        char path[128];
        Object *object = tree_find(peer->tree, path_of(name, path, sizeof path));

        return object ? object_face(object, test_object_interface.name)->model : NULL;
}

static int peer_remove(Peer *peer, const char *name) {
        TestObject *model = peer_find(peer, name), **at = &peer->objects;

        if (!model)
                return -ENOENT;
        while (*at != model)
                at = &(*at)->next;
        *at = model->next;
        object_remove(model->object);
        free(model);
        return 0;
}

static void count_up(TestObject *model) {
        model->number++;
        object_mark(model->object, &test_object_interface, TEST_OBJECT_NUMBER);
}

static int done(const Request *request, int r) {
        return r < 0 ? r : sd_bus_reply_method_return(request->message, NULL);
}

int test_add(Peer *peer, const TestAddArgs *args, const Request *request, Error *error) {
        return done(request, peer_add(peer, args->name));
}

int test_remove(Peer *peer, const TestRemoveArgs *args, const Request *request, Error *error) {
        return done(request, peer_remove(peer, args->name));
}

int test_replace(Peer *peer, const TestReplaceArgs *args, const Request *request, Error *error) {
        int r = peer_remove(peer, args->name);

        return done(request, r < 0 ? r : peer_add(peer, args->name));
}

int test_flicker(Peer *peer, const TestFlickerArgs *args, const Request *request, Error *error) {
        int r = peer_add(peer, args->name);

        return done(request, r < 0 ? r : peer_remove(peer, args->name));
}

int test_count(Peer *peer, const TestCountArgs *args, const Request *request, Error *error) {
        TestObject *model = peer_find(peer, args->name);

        if (!model)
                return -ENOENT;
        for (uint32_t i = 0; i < args->times; i++)
                count_up(model);
        return done(request, 0);
}

int test_release(Peer *peer, const Request *request, Error *error) {
        uint32_t n = (uint32_t) peer->n_held;

        while (peer->n_held > 0) {
                peer->n_held--;
                for (TestObject *model = peer->objects; model; model = model->next)
                        if (model == peer->holders[peer->n_held])
                                count_up(model);
                call_answer(peer->held[peer->n_held], "u", n);
        }
        return sd_bus_reply_method_return(request->message, "u", n);
}

int test_object_get_number(const TestObject *model, sd_bus_message *reply) {
        return sd_bus_message_append_basic(reply, 'u', &model->number);
}

int test_object_change_check(TestObject *model, const TestObjectChangeArgs *args, Error *error) {
        if (strcmp(args->kind, "small") != 0 && strcmp(args->kind, "large") != 0)
                return error_set(error, ERROR_INVALID_ARGS, "a change is small or large, not \"%.64s\"", args->kind);
        return 0;
}

const char *test_object_change_action(TestObject *model, const TestObjectChangeArgs *args) {
        return args->kind && strcmp(args->kind, "large") == 0 ? "org.berth1.test.large" : "org.berth1.test.small";
}

int test_object_change(TestObject *model, const TestObjectChangeArgs *args, const Request *request, Error *error) {
        return sd_bus_reply_method_return(request->message, "u", model->number);
}

int test_object_hold(TestObject *model, const TestObjectHoldArgs *args, const Request *request, Error *error) {
        Peer *peer = model->peer;
        int r;

        if (peer->n_held >= HELD_MAX)
                return error_set(error, ERROR_RESOURCE_EXHAUSTED, "%zu calls are held already", peer->n_held);
        r = call_new(request, args->timeout_msec * UINT64_C(1000), "it is still being held", peer->held + peer->n_held);
        if (r < 0)
                return r;
        peer->holders[peer->n_held++] = model;
        count_up(model);
        return 0;
}

static int on_stop(sd_event_source *source, const struct signalfd_siginfo *info, void *userdata) {
        return sd_event_exit(sd_event_source_get_event(source), 0);
}

static int run(const char *address) {
        const AuthorizerLimits limits = { 8, 64, 30 * UINT64_C(1000000), 60 * UINT64_C(1000000) };
        _cleanup_(sd_event_unrefp) sd_event *event = NULL;
        _cleanup_(sd_bus_flush_close_unrefp) sd_bus *bus = NULL;
        _cleanup_error_ Error error = {};
        Authorizer *authorizer = NULL;
        Peer peer = {};
        sigset_t set;
        Object *root;
        int r;

        sigemptyset(&set);
        sigaddset(&set, SIGTERM);
        sigprocmask(SIG_BLOCK, &set, NULL);
        r = sd_event_new(&event);
        if (r >= 0)
                r = sd_event_add_signal(event, NULL, SIGTERM, on_stop, NULL);
        if (r >= 0)
                r = connection_open(address, event, &error, &bus);
        if (r >= 0)
                r = tree_new(bus, event, ROOT, &peer.tree);
        if (r >= 0)
                r = authorizer_new(bus, event, &limits, &authorizer);
        if (r >= 0) {
                tree_set_authorizer(peer.tree, authorizer);
                r = tree_add_interface(peer.tree, ROOT, &test_interface);
        }
        if (r >= 0)
                r = tree_add_interface(peer.tree, OBJECTS, &test_object_interface);
        if (r >= 0)
                r = object_new(peer.tree, ROOT, &root);
        if (r >= 0)
                r = object_add_face(root, &test_interface, &peer);
        if (r >= 0)
                r = object_publish(root);
        if (r >= 0) {
                tree_settle(peer.tree);
                r = connection_own(bus, "org.berth1", &error);
        }
        if (r >= 0)
                r = sd_event_loop(event);

        if (r < 0)
                fprintf(stderr, "peer: %s\n", error.message ?: strerror(-r));
        while (peer.n_held > 0)
                call_drop(peer.held[--peer.n_held]);
        authorizer_free(authorizer);
        tree_free(peer.tree);
        while (peer.objects) {
                TestObject *model = peer.objects;

                peer.objects = model->next;
                free(model);
        }
        return r;
}

int main(int argc, char **argv) {
        static const struct option options[] = { { "address", required_argument, NULL, 'a' }, {} };
        const char *address = NULL;
        int c;

        /* The harness gives the options of berthd; one of them concerns us. */
        opterr = 0;
        while ((c = getopt_long(argc, argv, "", options, NULL)) >= 0)
                if (c == 'a')
                        address = optarg;
        return run(address) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
