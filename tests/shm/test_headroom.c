/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How much memory is left, read from files that look like those of the kernel.
 */
#include <limits.h>

#include "support.h"

struct tree {
    char root[64], proc[96], cgroup[96];
};

static void put(const struct tree *tree, const char *name, const char *text)
{
    char path[PATH_MAX];
    FILE *file;

    snprintf(path, sizeof path, "%s/%s", tree->root, name);
    for (char *at = path + strlen(tree->root) + 1; (at = strchr(at, '/')) != NULL; at++) {
        *at = '\0';
        mkdir(path, 0700);
        *at = '/';
    }
    file = fopen(path, "we");
    cr_assert_not_null(file);
    fputs(text, file);
    fclose(file);
}

static struct tree make_tree(const char *cgroup)
{
    struct tree tree;

    strcpy(tree.root, "/tmp/shmcov-test-XXXXXX");
    cr_assert_not_null(mkdtemp(tree.root));
    snprintf(tree.proc, sizeof tree.proc, "%s/proc", tree.root);
    snprintf(tree.cgroup, sizeof tree.cgroup, "%s/cgroup", tree.root);
    put(&tree, "proc/self/cgroup", cgroup);
    return tree;
}

static uint64_t headroom(const struct tree *tree)
{
    return seg_headroom(tree->proc, tree->cgroup);
}

static void drop_tree(struct tree *tree)
{
    char command[128];

    snprintf(command, sizeof command, "rm -rf %s", tree->root);
    cr_assert_eq(system(command), 0);
}

Test(headroom, nothing_known_is_no_limit)
{
    struct tree tree = make_tree("");

    cr_assert_eq(headroom(&tree), UINT64_MAX);
    cr_assert_eq(seg_headroom("/nowhere", "/nowhere"), UINT64_MAX);
    drop_tree(&tree);
}

Test(headroom, what_the_machine_has)
{
    struct tree tree = make_tree("0::/\n");

    put(&tree, "proc/meminfo", "MemTotal:  100 kB\nMemFree:  10 kB\nMemAvailable:   50 kB\n");
    cr_assert_eq(headroom(&tree), 50 * 1024);
    drop_tree(&tree);
}

Test(headroom, version_2)
{
    struct tree tree = make_tree("0::/a/b\n");

    put(&tree, "proc/meminfo", "MemAvailable: 999999 kB\n");
    put(&tree, "cgroup/a/b/memory.max", "max\n");
    put(&tree, "cgroup/a/b/memory.current", "1000\n");
    cr_assert_eq(headroom(&tree), UINT64_C(999999) * 1024);

    put(&tree, "cgroup/a/b/memory.max", "50000\n");
    cr_assert_eq(headroom(&tree), 49000);
    put(&tree, "cgroup/a/b/memory.stat", "anon 5\nactive_file 3\ninactive_file 400\n");
    cr_assert_eq(headroom(&tree), 49400, "cache is given back");
    put(&tree, "cgroup/a/b/memory.high", "20000\n");
    cr_assert_eq(headroom(&tree), 19400);

    /* A group above may have less left. */
    put(&tree, "cgroup/a/memory.max", "100000\n");
    put(&tree, "cgroup/a/memory.current", "99000\n");
    cr_assert_eq(headroom(&tree), 1000);
    put(&tree, "cgroup/a/memory.current", "100001\n");
    cr_assert_eq(headroom(&tree), 0);
    drop_tree(&tree);
}

Test(headroom, version_1)
{
    struct tree tree = make_tree("5:cpu,cpuacct:/x\n4:memory:/job\n1:name=systemd:/y\n0::/z\n");

    put(&tree, "cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n");
    put(&tree, "cgroup/memory/memory.usage_in_bytes", "123456\n");
    cr_assert_eq(headroom(&tree), UINT64_MAX);
    put(&tree, "cgroup/memory/job/memory.limit_in_bytes", "16777216\n");
    put(&tree, "cgroup/memory/job/memory.usage_in_bytes", "777216\n");
    put(&tree, "cgroup/memory/job/memory.stat", "inactive_file 1\ntotal_inactive_file 16\n");
    cr_assert_eq(headroom(&tree), 16000016);
    drop_tree(&tree);
}

/* The path is the host's; the mount point shows only the container's group. */
Test(headroom, a_container)
{
    struct tree tree = make_tree("4:memory:/docker/0123\n");

    put(&tree, "cgroup/memory/memory.limit_in_bytes", "1000000\n");
    put(&tree, "cgroup/memory/memory.usage_in_bytes", "1\n");
    cr_assert_eq(headroom(&tree), 999999);
    drop_tree(&tree);

    tree = make_tree("0::/../../outside\n");
    put(&tree, "cgroup/memory.max", "1000000\n");
    put(&tree, "cgroup/memory.current", "1\n");
    cr_assert_eq(headroom(&tree), 999999);
    drop_tree(&tree);
}

Test(headroom, nonsense_is_no_limit)
{
    struct tree tree = make_tree("\n:\n::\n0:\nmemory\n4:memory:/a\n");

    put(&tree, "cgroup/memory/a/memory.limit_in_bytes", "soon\n");
    put(&tree, "cgroup/memory/a/memory.usage_in_bytes", "\n");
    cr_assert_eq(headroom(&tree), UINT64_MAX);
    drop_tree(&tree);
}
