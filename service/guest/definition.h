/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* What is stored for a guest: its vCPUs and cells, and what shall be asked of its
 * threads. Plain data, and its XML, which is libvirt's as far as it goes.
 * Source: libvirt's formatdomain, "CPU Allocation", "CPU Tuning", "CPU model and topology". */

#include "guest/domain.h"

typedef struct DefinedCell {
        uint32_t id;
        CpuSet vcpus;
} DefinedCell;

struct Definition {
        char *name;                     /* NULL: the document has none */
        char uuid[37];                  /* "": a guest without one */
        uint32_t maximum;               /* vCPUs that the guest can have; 0 if not said */
        bool chosen;                    /* somebody said which are to be enabled; else all are */
        CpuSet enabled;                 /* empty if nobody said */
        CpuSet fixed;                   /* hotpluggable='no' */
        DefinedCell *cells;             /* by id */
        size_t n_cells;
        Tuning tuning;
        char *ignored;                  /* what the document had and is not kept: "devices, os"; NULL if nothing */

        /* The same file format keeps what is known of one run of the VMM, in the
         * runtime folder: which run, and that the definition was applied to it. */
        pid_t run_pid;                  /* 0 in what is stored for the next starts */
        uint64_t run_start_ticks;
        char run_boot[37];              /* boot_id of the kernel */
        CpuSet run_base_cpus;
};

int definition_new(const char *name, const char *uuid, Definition **ret);
Definition *definition_free(Definition *definition);
DEFINE_CLEANUP(Definition *, definition_free)
int definition_copy(const Definition *definition, Definition **ret);

/* The largest document that is read. */
#define DEFINITION_MAX (1024u * 1024u)

/* Reads a document. Errors: InvalidArgs with the line and what is allowed; an unknown
 * element is no error. Nothing outside of the document is read, whatever is in it. */
int definition_parse(const char *xml, size_t length, Error *error, Definition **ret);

/* Writes it so that definition_parse() reads the same. */
int definition_to_xml(const Definition *definition, char **ret);

/* The vCPUs that a guest would start with, as a table to be chosen from: each a unit of
 * its own, those that are fixed not removable. Returns -ENODATA if it does not say how
 * many. */
int definition_to_table(const Definition *definition, VcpuTable **ret);

/* The vCPUs of what is stored, as a table; of a guest for which nothing is stored, as
 * they are now. In units, where the running guest tells of any. */
int domain_stored_table(const Domain *domain, const Definition *definition, VcpuTable **ret);

/* What of one run was kept is forgotten. */
void definition_clear_run(Definition *definition);

/* <domain> of the running guest, and <vcpus> of it alone; of what is stored with
 * "config". */
int domain_to_xml(const Domain *domain, bool config, char **ret);
int domain_vcpus_to_xml(const Domain *domain, bool config, char **ret);
