/* SPDX-License-Identifier: LGPL-2.1-or-later */

/* What a machine is, out of the files of many architectures. */

#include <glib.h>
#include <string.h>
#include <sys/utsname.h>

#include "host/identity.h"
#include "tree.h"

typedef struct Row {
        const char *what;
        const char *cpuinfo, *modalias, *arch;          /* the files; NULL for none */
        const char *wanted;                             /* "arch|vendor|model|page size" */
} Row;

static const Row rows[] = {
        { "intel", "vendor_id\t: GenuineIntel\nmodel name\t: Intel(R)  Xeon(R) CPU   @ 2.20GHz  \nflags\t\t: fpu lm sse\n", NULL, NULL,
          "x86_64|Intel|Intel(R) Xeon(R) CPU @ 2.20GHz|4096" },
        { "amd", "vendor_id\t: AuthenticAMD\nmodel name\t: AMD EPYC\nflags\t\t: fpu lm sse\n", NULL, NULL, "x86_64|AMD|AMD EPYC|4096" },
        { "32 bits", "vendor_id\t: GenuineIntel\nflags\t\t: fpu sse\n", NULL, NULL, "|Intel||0" },
        { "a flag that looks alike", "flags\t\t: fpu lmx xlm\n", NULL, NULL, "|||0" },
        { "the first CPU counts", "vendor_id\t: HygonGenuine\n\nvendor_id\t: GenuineIntel\n", NULL, NULL, "|Hygon||0" },
        { "arm", "processor\t: 0\nCPU implementer\t: 0x48\nCPU architecture: 8\n", NULL, NULL, "aarch64|HiSilicon||0" },
        { "arm by another", "CPU implementer\t: 0x41\nCPU architecture: 8\n", NULL, NULL, "aarch64|ARM||0" },
        { "arm of nobody", "CPU implementer\t: 0x99\nCPU architecture: 8\n", NULL, NULL, "aarch64|0x99||0" },
        { "arm of 32 bits", "Processor\t: ARMv7 Processor rev 2 (v7l)\n", NULL, NULL, "armv7l||ARMv7 Processor rev 2 (v7l)|0" },
        { "power", "processor\t: 0\ncpu\t\t: POWER7 (architected), altivec supported\n", NULL, NULL,
          "ppc64|IBM|POWER7 (architected), altivec supported|0" },
        { "s390", "vendor_id       : IBM/S390\n", NULL, NULL, "s390x|IBM||4096" },
        { "modalias alone", NULL, "cpu:type:x86,ven0000fam0006mod0055:feature:,0000,003D,0040,\n", NULL, "x86_64|Intel||4096" },
        { "modalias of amd", NULL, "cpu:type:x86,ven0002fam0017mod0031:feature:,0000,003D,\n", NULL, "x86_64|AMD||4096" },
        { "modalias of old kernels", NULL, "x86cpu:vendor:0000:family:0006:model:003A:feature:,0000,003D,\n", NULL, "x86_64|Intel||4096" },
        { "modalias of 32 bits", NULL, "cpu:type:x86,ven0000fam0006mod0055:feature:,0000,0040,\n", NULL, "|Intel||0" },
        { "the kernel says it", "vendor_id\t: GenuineIntel\nflags\t\t: fpu lm sse\n", NULL, "riscv64\n", "riscv64|Intel||0" },
        { "and is believed", NULL, NULL, "x86_64\n", "x86_64|||4096" },
        { "unknown maker", "vendor_id\t: Shanghai  \n", NULL, NULL, "|Shanghai||0" },
        { "nothing", NULL, NULL, NULL, "|||0" },
        { "empty", "", "", "", "|||0" },
        { "blank lines", "\n\n\n\nvendor_id : GenuineIntel\n\n", NULL, NULL, "|Intel||0" },
        { "no value", "vendor_id\t:\nmodel name:\n", NULL, NULL, "|||0" },
        { "no colon", "vendor_id GenuineIntel\nmodel name\n", NULL, NULL, "|||0" },
        { "a key that starts alike", "vendor_idx : A\nmodel names : B\ncpu family : 6\n", NULL, NULL, "|||0" },
        { "no end of line", "model name : X", NULL, NULL, "||X|0" },
        { "no UTF-8", "vendor_id\t: Gen\xfcine\nmodel name\t: \xff\xfe B\xc3\xbcro\x1b[31m\n", NULL, "\xff\xfe x\n", "x|Genine|Bro[31m|0" },
        { "binary", "\x7f" "ELF\x02\x01\x01\xff\xff\xff:\n:\n::\n", "\xff\xff", NULL, "|||0" },
};

static Identity read_identity(const Tree *tree) {
        Identity identity = {};

        g_assert_cmpint(identity_read(tree->fd, false, &identity), ==, 0);
        return identity;
}

static void each_architecture_is_known(void) {
        for (size_t i = 0; i < ELEMENTSOF(rows); i++) {
                g_autoptr(Tree) tree = tree_new();
                _cleanup_identity_ Identity identity = {};
                g_autofree char *text = NULL;

                g_test_message("row: %s", rows[i].what);
                if (rows[i].cpuinfo)
                        tree_write(tree, "proc/cpuinfo", rows[i].cpuinfo);
                if (rows[i].modalias)
                        tree_write(tree, "sys/devices/system/cpu/modalias", rows[i].modalias);
                if (rows[i].arch)
                        tree_write(tree, "proc/sys/kernel/arch", rows[i].arch);
                identity = read_identity(tree);
                text = g_strdup_printf("%s|%s|%s|%" G_GUINT64_FORMAT, identity.arch, identity.vendor, identity.model, identity.base_page_bytes);
                g_assert_cmpstr(text, ==, rows[i].wanted);
                g_assert_cmpstr(identity.uuid, ==, "");
        }
}

#define UUID "4c4c4544-0042-3510-8052-b4c04f4d3332"

static void the_uuid_is_the_boards_or_the_systems(void) {
        static const struct { const char *board, *system, *wanted; } uuids[] = {
                { "4C4C4544-0042-3510-8052-B4C04F4D3332\n", "11112222333344445555666677778888\n", UUID },
                { "4c4c454400423510" "8052b4c04f4d3332", NULL, UUID },
                { NULL, "4c4c454400423510" "8052b4c04f4d3332\n", UUID },
                { "00000000-0000-0000-0000-000000000000\n", "4c4c454400423510" "8052b4c04f4d3332\n", UUID },
                { "Not Settable\n", "4c4c454400423510" "8052b4c04f4d3332\n", UUID },
                { "", "4c4c454400423510" "8052b4c04f4d3332\n", UUID },
                { "4c4c4544-0042-3510-8052-b4c04f4d333\n", NULL, "" },
                { "4c4c4544-0042-3510-8052-b4c04f4d33322\n", NULL, "" },
                { "4c4c4544-0042-3510-8052-b4c04f4d333g\n", NULL, "" },
                { "{4c4c4544-0042-3510-8052-b4c04f4d3332}\n", NULL, "" },
                { "uninitialized\n", "uninitialized\n", "" },
                { NULL, "", "" },
                { NULL, NULL, "" },
        };

        for (size_t i = 0; i < ELEMENTSOF(uuids); i++) {
                g_autoptr(Tree) tree = tree_new();
                _cleanup_identity_ Identity identity = {};

                g_test_message("row %zu", i);
                if (uuids[i].board)
                        tree_write(tree, "sys/class/dmi/id/product_uuid", uuids[i].board);
                if (uuids[i].system)
                        tree_write(tree, "etc/machine-id", uuids[i].system);
                identity = read_identity(tree);
                g_assert_cmpstr(identity.uuid, ==, uuids[i].wanted);
        }
}

/* What is no file, or far too large, is as if it were not there. */
static void things_that_are_no_files(void) {
        static const char *const paths[] = {
                "proc/cpuinfo", "sys/devices/system/cpu/modalias", "proc/sys/kernel/arch", "sys/class/dmi/id/product_uuid", "etc/machine-id",
        };

        for (unsigned way = 0; way < 5; way++) {
                g_autoptr(Tree) tree = tree_new();
                _cleanup_identity_ Identity identity = {};

                for (size_t i = 0; i < ELEMENTSOF(paths); i++)
                        switch (way) {
                        case 0:
                                tree_folder(tree, paths[i]);
                                break;
                        case 1:
                                tree_write_sparse(tree, paths[i], 64 * 1024 * 1024);
                                break;
                        case 2: {
                                g_autofree char *target = g_strdup_printf("/%s", paths[i]);

                                tree_link(tree, paths[i], target);
                                break;
                        }
                        case 3:
                                tree_link(tree, paths[i], "../../../../../../../../../etc/machine-id");
                                break;
                        case 4:
                                tree_fifo(tree, paths[i]);
                                break;
                        }
                g_test_message("way %u", way);
                identity = read_identity(tree);
                g_assert_cmpstr(identity.arch, ==, "");
                g_assert_cmpstr(identity.vendor, ==, "");
                g_assert_cmpstr(identity.model, ==, "");
                g_assert_cmpstr(identity.uuid, ==, "");
        }
}

/* Only the first CPUs are looked at, of a file that may be megabytes. */
static void a_long_cpuinfo_is_not_read_whole(void) {
        g_autoptr(Tree) tree = tree_new();
        g_autoptr(GString) text = g_string_new("vendor_id\t: GenuineIntel\n");
        _cleanup_identity_ Identity identity = {};

        while (text->len < 20000)
                g_string_append(text, "flags\t\t: fpu sse\n");
        g_string_append(text, "model name\t: late\n");
        tree_write(tree, "proc/cpuinfo", text->str);
        identity = read_identity(tree);
        g_assert_cmpstr(identity.vendor, ==, "Intel");
        g_assert_cmpstr(identity.model, ==, "");
}

static void the_live_machine_is_asked_itself(void) {
        g_autoptr(Tree) tree = tree_new();
        _cleanup_identity_ Identity identity = {};
        struct utsname name;

        g_assert_cmpint(uname(&name), ==, 0);
        g_assert_cmpint(identity_read(tree->fd, true, &identity), ==, 0);
        g_assert_cmpstr(identity.arch, ==, name.machine);
        g_assert_cmpuint(identity.base_page_bytes, ==, (uint64_t) sysconf(_SC_PAGESIZE));
}

int main(int argc, char **argv) {
        g_test_init(&argc, &argv, NULL);
        g_test_add_func("/identity/each-architecture-is-known", each_architecture_is_known);
        g_test_add_func("/identity/the-uuid-is-the-boards-or-the-systems", the_uuid_is_the_boards_or_the_systems);
        g_test_add_func("/identity/things-that-are-no-files", things_that_are_no_files);
        g_test_add_func("/identity/a-long-cpuinfo-is-not-read-whole", a_long_cpuinfo_is_not_read_whole);
        g_test_add_func("/identity/the-live-machine-is-asked-itself", the_live_machine_is_asked_itself);
        return g_test_run();
}
