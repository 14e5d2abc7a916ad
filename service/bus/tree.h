/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* The objects on the bus, and what is told of them.
 *
 * Models do not send signals: they mark what changed, and once a turn of the loop
 * everything marked is flushed: objects that went, objects that came, then one
 * PropertiesChanged for each interface that has marks, then what else a face has to say. So a burst is one signal,
 * and no client sees a state that never was. */

#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>

#include "interface.h"

typedef struct Tree Tree;
typedef struct Object Object;

/* One interface of one object: what handlers' thunks get as userdata. */
typedef struct Face {
        Object *object;
        const Interface *interface;
        void *model;
        uint64_t marks;         /* properties to be announced */
        const struct FaceHooks *hooks;
} Face;

/* What a face may have to say beyond its properties; each may be NULL. */
typedef struct FaceHooks {
        /* In a flush, after the properties of its object were announced: signals that
         * object_touch() has promised. */
        void (*emit)(Face *face);
        /* Details for polkit that say what a call is about, beyond its numbers: a name, a
         * constant, and a value for each. An approval holds as long as they are the same. */
        int (*describe)(const Face *face, const Method *method, const void *args,
                        int (*add)(void *userdata, const char *name, const char *value), void *userdata);
} FaceHooks;

struct Authorizer;

/* Owns the objects at and below "prefix". "bus" and "event" are referenced. */
int tree_new(sd_bus *bus, sd_event *event, const char *prefix, Tree **ret);
Tree *tree_free(Tree *tree);
DEFINE_CLEANUP(Tree *, tree_free)

sd_bus *tree_bus(const Tree *tree);
struct Authorizer *tree_authorizer(const Tree *tree);
void tree_set_authorizer(Tree *tree, struct Authorizer *authorizer);

/* Serves an interface on those objects at and below "prefix" that have it. */
int tree_add_interface(Tree *tree, const char *prefix, const Interface *interface);

/* Emits all that is marked now. An answer to a change is sent after this, so that
 * a client's properties are never older than its answer. */
void tree_flush(Tree *tree);

/* Takes all that was published so far as known: for the time before the service has
 * its name, when nobody listens. */
void tree_settle(Tree *tree);

/* 1, 2, 3 and so on. */
uint64_t tree_next_serial(Tree *tree);

/* NULL if there is none. */
Object *tree_find(Tree *tree, const char *path);

/* Makes an object that nobody sees before object_publish().
 * Returns -EEXIST if the path is taken. */
int object_new(Tree *tree, const char *path, Object **ret);
int object_add_face(Object *object, const Interface *interface, void *model);

/* For the face that was added last. */
void object_set_hooks(Object *object, const FaceHooks *hooks);
int object_publish(Object *object);

/* Takes an object away: no call reaches it from here on, and its models may be
 * freed; its removal is announced with the next flush. NULL does nothing. */
Object *object_remove(Object *object);

const char *object_path(const Object *object);
Tree *object_tree(const Object *object);

/* Never the same for two objects in the life of a service, though their paths
 * may be: an approval is for one of them. */
uint64_t object_generation(const Object *object);

/* NULL if the object has no such interface. */
Face *object_face(Object *object, const char *interface);

/* Has "emit" of the object's faces called in the next flush. */
void object_touch(Object *object);

/* Has a property announced; one that is constant must not be. */
void object_mark(Object *object, const Interface *interface, unsigned property);
