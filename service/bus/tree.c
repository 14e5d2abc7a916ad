/* SPDX-License-Identifier: LGPL-2.1-or-later */

#include "tree.h"

#include <errno.h>
#include <search.h>
#include <stdio.h>
#include <string.h>

/* sd-bus finds an object's interfaces by asking us, path by path: one fallback
 * vtable for each interface instead of one vtable for each object. That keeps
 * 500 objects small, and has each call look its object up, so that one which
 * went away is UnknownObject.
 *
 * The same question is asked when InterfacesRemoved is emitted, about an object
 * that no call may reach any more: "emitting" is that object meanwhile. */

typedef struct Registration Registration;

struct Registration {
        Registration *next;
        Tree *tree;
        const Interface *interface;
        sd_bus_slot *slot;
};

typedef enum ObjectState {
        OBJECT_HIDDEN,          /* not published yet */
        OBJECT_ADDED,           /* findable; its arrival is not announced yet */
        OBJECT_KNOWN,
        OBJECT_REMOVED,         /* not findable; its removal is not announced yet */
} ObjectState;

struct Object {
        Tree *tree;
        char *path;
        uint64_t generation;
        ObjectState state;
        bool dirty;
        Object *next_dirty;
        Face *faces;
        size_t n_faces;
};

struct Tree {
        sd_bus *bus;
        struct Authorizer *authorizer;
        void *objects;                  /* tsearch(3), by path */
        uint64_t generation;
        uint64_t serial;                /* the last that was given away */
        Registration *registrations;
        sd_bus_slot *manager_slot;
        sd_bus_slot *enumerator_slot;
        sd_event_source *flush_source;
        Object *dirty;                  /* in the order in which they became so */
        Object **dirty_end;
        const Object *emitting;
};

static int compare_objects(const void *a, const void *b) {
        return strcmp(((const Object *) a)->path, ((const Object *) b)->path);
}

Object *tree_find(Tree *tree, const char *path) {
        const Object key = { .path = (char *) path };
        void *node = tfind(&key, &tree->objects, compare_objects);

        return node ? *(Object **) node : NULL;
}

Face *object_face(Object *object, const char *interface) {
        for (size_t i = 0; i < object->n_faces; i++)
                if (strcmp(object->faces[i].interface->name, interface) == 0)
                        return object->faces + i;
        return NULL;
}

static int find_face(sd_bus *bus, const char *path, const char *interface, void *userdata, void **ret_found, sd_bus_error *error) {
        Registration *registration = userdata;
        Tree *tree = registration->tree;
        const Object *object;

        if (tree->emitting && strcmp(tree->emitting->path, path) == 0)
                object = tree->emitting;
        else
                object = tree_find(tree, path);
        if (!object)
                return 0;

        for (size_t i = 0; i < object->n_faces; i++)
                if (object->faces[i].interface == registration->interface) {
                        *ret_found = object->faces + i;
                        return 1;
                }
        return 0;
}

int tree_add_interface(Tree *tree, const char *prefix, const Interface *interface) {
        Registration *registration;
        int r;

        registration = calloc(1, sizeof *registration);
        if (!registration)
                return -ENOMEM;
        registration->tree = tree;
        registration->interface = interface;
        r = sd_bus_add_fallback_vtable(tree->bus, &registration->slot, prefix, interface->name, interface->vtable, find_face, registration);
        if (r < 0) {
                free(registration);
                return r;
        }
        registration->next = tree->registrations;
        tree->registrations = registration;
        return 0;
}

typedef struct PathList {
        char **paths;
        size_t n;
        bool failed;
} PathList;

static void collect_path(const void *node, VISIT which, void *userdata) {
        PathList *list = userdata;
        char **paths;

        if ((which != postorder && which != leaf) || list->failed)
                return;
        paths = reallocarray(list->paths, list->n + 2, sizeof *paths);
        if (paths) {
                list->paths = paths;
                paths[list->n] = strdup((*(const Object *const *) node)->path);
                paths[list->n + 1] = NULL;
        }
        if (!paths || !paths[list->n++])
                list->failed = true;
}

static int enumerate(sd_bus *bus, const char *prefix, void *userdata, char ***ret_nodes, sd_bus_error *error) {
        Tree *tree = userdata;
        PathList list = {};

        twalk_r(tree->objects, collect_path, &list);
        if (list.failed) {
                for (size_t i = 0; i < list.n; i++)
                        free(list.paths[i]);
                free(list.paths);
                return -ENOMEM;
        }

        *ret_nodes = list.paths;
        return 0;
}

static void object_free(Object *object) {
        free(object->faces);
        free(object->path);
        free(object);
}

static void object_set_dirty(Object *object) {
        Tree *tree = object->tree;

        if (object->dirty)
                return;
        object->dirty = true;
        object->next_dirty = NULL;
        *tree->dirty_end = object;
        tree->dirty_end = &object->next_dirty;
        (void) sd_event_source_set_enabled(tree->flush_source, SD_EVENT_ONESHOT);
}

static void emit_properties_changed(Tree *tree, Object *object, Face *face) {
        const char *names[65];
        size_t n = 0;

        for (unsigned i = 0; face->interface->properties[i]; i++)
                if (face->marks & UINT64_C(1) << i)
                        names[n++] = face->interface->properties[i];
        names[n] = NULL;
        face->marks = 0;
        if (n > 0)
                (void) sd_bus_emit_properties_changed_strv(tree->bus, object->path, face->interface->name, (char **) names);
}

/* Removed, added, changed: in that order, since a path can go and come again in
 * one turn. A signal that cannot be sent is for a bus that is gone. */
void tree_flush(Tree *tree) {
        Object *dirty = tree->dirty, *next;

        tree->dirty = NULL;
        tree->dirty_end = &tree->dirty;

        for (Object *object = dirty; object; object = object->next_dirty)
                if (object->state == OBJECT_REMOVED) {
                        tree->emitting = object;
                        (void) sd_bus_emit_object_removed(tree->bus, object->path);
                        tree->emitting = NULL;
                }

        for (Object *object = dirty; object; object = object->next_dirty)
                if (object->state == OBJECT_ADDED) {
                        object->state = OBJECT_KNOWN;
                        for (size_t i = 0; i < object->n_faces; i++)
                                object->faces[i].marks = 0;
                        (void) sd_bus_emit_object_added(tree->bus, object->path);
                }

        for (Object *object = dirty; object; object = next) {
                next = object->next_dirty;
                object->dirty = false;
                if (object->state == OBJECT_REMOVED)
                        object_free(object);
                else {
                        for (size_t i = 0; i < object->n_faces; i++)
                                emit_properties_changed(tree, object, object->faces + i);
                        for (size_t i = 0; i < object->n_faces; i++)
                                if (object->faces[i].hooks && object->faces[i].hooks->emit)
                                        object->faces[i].hooks->emit(object->faces + i);
                }
        }
}

void tree_settle(Tree *tree) {
        for (Object *object = tree->dirty; object; object = object->next_dirty) {
                assert(object->state != OBJECT_REMOVED);
                object->state = OBJECT_KNOWN;
                object->dirty = false;
                for (size_t i = 0; i < object->n_faces; i++)
                        object->faces[i].marks = 0;
        }
        tree->dirty = NULL;
        tree->dirty_end = &tree->dirty;
        (void) sd_event_source_set_enabled(tree->flush_source, SD_EVENT_OFF);
}

static int on_flush(sd_event_source *source, void *userdata) {
        tree_flush(userdata);
        return 0;
}

int tree_new(sd_bus *bus, sd_event *event, const char *prefix, Tree **ret) {
        _cleanup_(tree_freep) Tree *tree = NULL;
        int r;

        tree = calloc(1, sizeof *tree);
        if (!tree)
                return -ENOMEM;
        tree->dirty_end = &tree->dirty;
        tree->bus = sd_bus_ref(bus);

        r = sd_event_add_defer(event, &tree->flush_source, on_flush, tree);
        if (r >= 0)
                r = sd_event_source_set_enabled(tree->flush_source, SD_EVENT_OFF);
        if (r >= 0)
                r = sd_bus_add_object_manager(bus, &tree->manager_slot, prefix);
        if (r >= 0)
                r = sd_bus_add_node_enumerator(bus, &tree->enumerator_slot, prefix, enumerate, tree);
        if (r < 0)
                return r;
        (void) sd_event_source_set_description(tree->flush_source, "flush-changes");

        *ret = TAKE_PTR(tree);
        return 0;
}

static void free_node(void *node) {
        object_free(node);
}

Tree *tree_free(Tree *tree) {
        Object *next;
        Registration *registration;

        if (!tree)
                return NULL;

        for (Object *object = tree->dirty; object; object = next) {
                next = object->next_dirty;
                if (object->state == OBJECT_REMOVED)
                        object_free(object);
        }
        while ((registration = tree->registrations)) {
                tree->registrations = registration->next;
                (void) sd_bus_slot_unref(registration->slot);
                free(registration);
        }
        (void) sd_bus_slot_unref(tree->enumerator_slot);
        (void) sd_bus_slot_unref(tree->manager_slot);
        (void) sd_event_source_disable_unref(tree->flush_source);
        tdestroy(tree->objects, free_node);
        (void) sd_bus_unref(tree->bus);
        free(tree);
        return NULL;
}

sd_bus *tree_bus(const Tree *tree) {
        return tree->bus;
}

uint64_t tree_next_serial(Tree *tree) {
        return ++tree->serial;
}

struct Authorizer *tree_authorizer(const Tree *tree) {
        return tree->authorizer;
}

void tree_set_authorizer(Tree *tree, struct Authorizer *authorizer) {
        tree->authorizer = authorizer;
}

int object_new(Tree *tree, const char *path, Object **ret) {
        Object *object;
        void *node;

        if (tree_find(tree, path))
                return -EEXIST;

        object = calloc(1, sizeof *object);
        if (!object)
                return -ENOMEM;
        object->tree = tree;
        object->path = strdup(path);
        if (!object->path) {
                object_free(object);
                return -ENOMEM;
        }
        node = tsearch(object, &tree->objects, compare_objects);
        if (!node) {
                object_free(object);
                return -ENOMEM;
        }
        object->generation = ++tree->generation;

        *ret = object;
        return 0;
}

int object_add_face(Object *object, const Interface *interface, void *model) {
        Face *faces;

        assert(object->state == OBJECT_HIDDEN);
        faces = reallocarray(object->faces, object->n_faces + 1, sizeof *faces);
        if (!faces)
                return -ENOMEM;
        object->faces = faces;
        faces[object->n_faces++] = (Face) { .object = object, .interface = interface, .model = model };
        return 0;
}

void object_set_hooks(Object *object, const FaceHooks *hooks) {
        assert(object->n_faces > 0);
        object->faces[object->n_faces - 1].hooks = hooks;
}

int object_publish(Object *object) {
        assert(object->state == OBJECT_HIDDEN);
        object->state = OBJECT_ADDED;
        object_set_dirty(object);
        return 0;
}

Object *object_remove(Object *object) {
        Tree *tree;

        if (!object)
                return NULL;
        tree = object->tree;
        tdelete(object, &tree->objects, compare_objects);

        /* Whoever never heard of it need not hear that it went. */
        if (object->state == OBJECT_ADDED && object->dirty) {
                for (Object **at = &tree->dirty; *at; at = &(*at)->next_dirty)
                        if (*at == object) {
                                *at = object->next_dirty;
                                break;
                        }
                tree->dirty_end = &tree->dirty;
                while (*tree->dirty_end)
                        tree->dirty_end = &(*tree->dirty_end)->next_dirty;
        }
        if (object->state != OBJECT_KNOWN) {
                object_free(object);
                return NULL;
        }

        object->state = OBJECT_REMOVED;
        for (size_t i = 0; i < object->n_faces; i++)
                object->faces[i].model = NULL;
        object_set_dirty(object);
        return NULL;
}

const char *object_path(const Object *object) {
        return object->path;
}

Tree *object_tree(const Object *object) {
        return object->tree;
}

uint64_t object_generation(const Object *object) {
        return object->generation;
}

void object_touch(Object *object) {
        object_set_dirty(object);
}

void object_mark(Object *object, const Interface *interface, unsigned property) {
        assert(!(interface->constants & UINT64_C(1) << property));

        for (size_t i = 0; i < object->n_faces; i++)
                if (object->faces[i].interface == interface) {
                        object->faces[i].marks |= UINT64_C(1) << property;
                        object_set_dirty(object);
                }
}
