/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* test-hosts FOLDER…: for each captured host in these folders (NAME.tar.xz, or
 * a folder NAME, beside NAME.expected.json), starts berthd on it and holds all
 * that it says against what is expected, member by member. "shared" stands for
 * the collection that is not part of the project, $BERTH_FIXTURES/hosts, by
 * default ../shared/fixtures/hosts beside the sources: taken where it is.
 *
 * To be run on a bus of its own, with $BERTHD, $BERTH_SCHEMA and
 * $BERTH_SOURCE_ROOT set. */

#include <string.h>

#include "daemon.h"
#include "expect.h"
#include "fields.h"
#include "tree.h"

static void test_host(gconstpointer data) {
        const char *tree_name = data;
        g_autoptr(Tree) tree = NULL;
        g_autoptr(json_object_owned) expected = NULL;
        g_autofree char *base = NULL, *expected_path = NULL;
        const char *root = tree_name;

        if (g_str_has_suffix(tree_name, ".tar.xz")) {
                base = g_strndup(tree_name, strlen(tree_name) - strlen(".tar.xz"));
                tree = tree_unpack(tree_name);
                root = tree->root;
        } else
                base = g_strdup(tree_name);

        expected_path = g_strdup_printf("%s.expected.json", base);
        expected = json_object_from_file(expected_path);
        if (!expected) {
                g_test_fail_printf("%s: %s", expected_path, json_util_get_last_err());
                return;
        }

        {
                g_autoptr(Report) report = report_new();
                g_autoptr(Daemon) daemon = daemon_start(root);
                g_autoptr(Seen) seen = seen_new(daemon);

                expect_answers(report, expected, seen);
                expect_documents(report, expected, seen);
                report_finish(report);
        }
}

static gboolean is_tree(const char *folder, const char *name) {
        g_autofree char *path = g_build_filename(folder, name, NULL);

        return g_str_has_suffix(name, ".tar.xz") || g_file_test(path, G_FILE_TEST_IS_DIR);
}

/* Each tree must have its answers, and each answer its tree. */
static void add_folder(const char *folder, GPtrArray *names) {
        g_autoptr(GError) error = NULL;
        g_autoptr(GDir) dir = g_dir_open(folder, 0, &error);
        const char *name;
        guint trees = 0, answers = 0;

        if (!dir)
                g_error("%s", error->message);
        while ((name = g_dir_read_name(dir)))
                if (is_tree(folder, name)) {
                        g_ptr_array_add(names, g_build_filename(folder, name, NULL));
                        trees++;
                } else if (g_str_has_suffix(name, ".expected.json"))
                        answers++;
        if (trees == 0 || trees != answers)
                g_error("%s has %u captured hosts and %u answers", folder, trees, answers);
}

static char *shared_folder(void) {
        const char *fixtures = g_getenv("BERTH_FIXTURES"), *source_root = g_getenv("BERTH_SOURCE_ROOT");

        if (fixtures)
                return g_build_filename(fixtures, "hosts", NULL);
        g_assert_nonnull(source_root);
        return g_build_filename(source_root, "..", "shared", "fixtures", "hosts", NULL);
}

static int compare_names(gconstpointer a, gconstpointer b) {
        return strcmp(*(char *const *) a, *(char *const *) b);
}

int main(int argc, char **argv) {
        g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);

        g_test_init(&argc, &argv, NULL);
        for (int i = 1; i < argc; i++)
                if (strcmp(argv[i], "shared") == 0) {
                        g_autofree char *folder = shared_folder();

                        if (g_file_test(folder, G_FILE_TEST_IS_DIR))
                                add_folder(folder, names);
                } else
                        add_folder(argv[i], names);
        if (names->len == 0)
                g_error("which folder of captured hosts?");
        g_ptr_array_sort(names, compare_names);
        for (guint i = 0; i < names->len; i++) {
                g_autofree char *base = g_path_get_basename(names->pdata[i]);
                g_autofree char *path = NULL;
                char *suffix = strstr(base, ".tar.xz");

                if (suffix)
                        *suffix = '\0';
                path = g_strdup_printf("/hosts/%s", base);
                g_test_add_data_func(path, names->pdata[i], test_host);
        }
        return g_test_run();
}
