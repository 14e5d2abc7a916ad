/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

/* Hosts of sizes that we do not have, made by tools/make-tree on a tmpfs of the
 * bus's namespace, so that nothing is left of them. */

/* The folder of a host of so many CPUs and cells; made at the first call. */
const char *tree_folder(unsigned cpus, unsigned cells);

/* The same, with the files of this machine's memory in the place of those of each
 * cell: what the kernel writes at each read(2) takes longer than what lies in a
 * file. */
const char *tree_folder_live_memory(unsigned cpus, unsigned cells);
