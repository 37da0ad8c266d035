/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The data file as the file system sees it: where it is, the temporary file beside it, and the one
 * step that puts the new file in the place of the old one.
 *
 * Guarantee: whenever the process is killed, the target is the old file or the new one, complete.
 * The one exception is a target that is a mount point, over which nothing can be renamed: it is
 * written in place.
 *
 * A temporary file is locked (flock) from its creation until it is closed. The kernel releases the
 * lock when its holder dies, so whoever gets it knows that nobody writes the file any more.
 *
 * Guarantee: while a descriptor of a data file is open here or in sqlfile.c, nobody else has a lock
 * of SQLite's on that file, this process included. For the kernel drops all such locks of a process
 * as soon as it closes any descriptor of the file, and Python's SQLite may be another than ours.
 */
#include "combine.h"
#include "internal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#include "kill_point.h"
#include "platform.h"

#define MAX_LINKS 40
#define COPY_BYTES (1u << 20)

/* The bytes that SQLite locks (sqlite3's os.h): a lock on all of them is exclusive. */
#define SQLITE_LOCK_START 0x40000000
#define SQLITE_LOCK_LEN 512

int merge_place_fail(const struct merge_place *place, struct merge_error *error, const char *what,
                     int number)
{
    const char *hint = "";

    if (number == ENOSPC || number == EDQUOT)
        hint = "; make room there";
    else if (number == EACCES || number == EPERM || number == EROFS)
        hint = "; name another data file, or make the folder writable";
    return merge_fail(error, MERGE_ERR_DATA, "Couldn't write data file '%s': %s: %s%s", place->real,
                      what, strerror(number), hint);
}

/* Follows the links of target, also to a file that does not exist yet. */
static int follow(const char *target, char real[PATH_MAX])
{
    char here[PATH_MAX], link[PATH_MAX], dir[PATH_MAX];

    if (strlen(target) >= sizeof here || *target == 0) {
        errno = *target ? ENAMETOOLONG : ENOENT;
        return -1;
    }
    strcpy(here, target);
    for (int links = 0; links < MAX_LINKS; links++) {
        char *slash = strrchr(here, '/');
        const char *name = slash ? slash + 1 : here;
        ssize_t len;
        int n;

        if (slash && slash == here)
            strcpy(link, "/");
        else if (slash)
            snprintf(link, sizeof link, "%.*s", (int)(slash - here), here);
        else
            strcpy(link, ".");
        if (!realpath(link, dir))
            return -1;
        n = snprintf(real, PATH_MAX, "%s/%s", strcmp(dir, "/") ? dir : "", name);
        if (n < 0 || n >= PATH_MAX) {
            errno = ENAMETOOLONG;
            return -1;
        }
        len = readlink(real, link, sizeof link - 1);
        if (len < 0)
            return 0;
        link[len] = 0;
        n = link[0] == '/' ? snprintf(here, sizeof here, "%s", link)
                           : snprintf(here, sizeof here, "%s/%s", dir, link);
        if (n < 0 || n >= (int)sizeof here) {
            errno = ENAMETOOLONG;
            return -1;
        }
    }
    errno = ELOOP;
    return -1;
}

/* In a sticky folder only the owners of file and folder may replace the file. Asked early: the
 * rename would fail only after the run. */
static bool may_replace(const struct merge_place *place, const struct stat *dir)
{
    uid_t user = geteuid();

    return user == 0 || !place->exists || !(dir->st_mode & S_ISVTX) || place->old.st_uid == user ||
           dir->st_uid == user;
}

int merge_place_find(struct merge_place *place, const char *target, struct merge_error *error)
{
    struct stat dir;
    char *slash;

    memset(place, 0, sizeof *place);
    place->fd = place->locked = -1;
    snprintf(place->real, sizeof place->real, "%s", target);
    if (follow(target, place->real)) {
        int number = errno;

        snprintf(place->real, sizeof place->real, "%s", target);
        return merge_place_fail(place, error, "its folder cannot be found", number);
    }
    strcpy(place->dir, place->real);
    slash = strrchr(place->dir, '/');
    slash[slash == place->dir] = 0;
    if (stat(place->dir, &dir))
        return merge_place_fail(place, error, "its folder cannot be read", errno);
    place->exists = stat(place->real, &place->old) == 0;
    if (place->exists && S_ISDIR(place->old.st_mode))
        return merge_fail(error, MERGE_ERR_DATA,
                          "Couldn't write data file '%s': it is a folder; name a file in it",
                          place->real);
    if (place->exists && !S_ISREG(place->old.st_mode))
        return merge_fail(error, MERGE_ERR_DATA,
                          "Couldn't write data file '%s': it is not a plain file; name another"
                          " data file",
                          place->real);
    if (faccessat(AT_FDCWD, place->dir, W_OK | X_OK, AT_EACCESS))
        return merge_place_fail(place, error, "no file can be made beside it", errno);
    if (!may_replace(place, &dir))
        return merge_place_fail(place, error, "its folder is sticky and it has another owner",
                                EPERM);
    return 0;
}

/* Notes the mode for the finished file: the old one's, or what the umask left of 0666 when the file
 * was opened. Until it is complete, only we may read and write it. */
static int keep_mode(struct merge_place *place)
{
    struct stat new;

    if (fstat(place->fd, &new))
        return -1;
    place->mode = (place->exists ? place->old.st_mode : new.st_mode) & 0777;
    return fchmod(place->fd, 0600);
}

/* Gives the file that mode, and if we may the owner and the group of the old one. */
static int give_mode(const struct merge_place *place)
{
    if (place->exists && (place->old.st_uid != geteuid() || place->old.st_gid != getegid())) {
        int usual = fchown(place->fd, place->old.st_uid, place->old.st_gid);

        (void)usual; /* only root may */
    }
    return fchmod(place->fd, place->mode);
}

/* -- the temporary file -- */

static bool is_temporary(const char *name)
{
    static const char digits[] = "0123456789abcdef";
    size_t prefix = sizeof MERGE_TMP_PREFIX - 1;
    size_t random = 16;

    return !strncmp(name, MERGE_TMP_PREFIX, prefix) && strspn(name + prefix, digits) == random &&
           !strcmp(name + prefix + random, MERGE_TMP_SUFFIX);
}

/* Removes a temporary file if it is ours and its writer is dead. */
static void remove_dead(int dir, const char *name)
{
    int fd = openat(dir, name, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    struct stat st;

    if (fd < 0)
        return;
    if (!fstat(fd, &st) && S_ISREG(st.st_mode) && st.st_uid == geteuid() && st.st_nlink == 1 &&
        !flock(fd, LOCK_EX | LOCK_NB))
        unlinkat(dir, name, 0);
    close(fd);
}

/* Removes what killed merges left in the folder. */
static void remove_dead_ones(const struct merge_place *place)
{
    DIR *dir = opendir(place->dir);
    const struct dirent *entry;

    while (dir && (entry = readdir(dir)))
        if (is_temporary(entry->d_name))
            remove_dead(dirfd(dir), entry->d_name);
    if (dir)
        closedir(dir);
}

/* 0 or an errno; EEXIST: take another name. */
static int create_locked(struct merge_place *place)
{
    struct stat st;

    place->fd = open(place->tmp, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
    if (place->fd < 0)
        return errno;
    /* Before it was locked, another merge may have taken it for a dead one and removed it. On a
     * file system without locks nobody gets one, so nothing is taken for dead. */
    if ((flock(place->fd, LOCK_EX | LOCK_NB) && errno == EWOULDBLOCK) || fstat(place->fd, &st) ||
        st.st_nlink == 0) {
        close(place->fd);
        place->fd = -1;
        return EEXIST;
    }
    SEG_KILL_POINT("merge.created");
    return 0;
}

/* Writes a new temporary name. 0 or an errno. */
static int temporary_name(const struct merge_place *place, char name[PATH_MAX])
{
    uint64_t random;
    int n;

    if (seg_platform_random(&random, sizeof random))
        return errno;
    n = snprintf(name, PATH_MAX, "%s/%s%016" PRIx64 "%s", strcmp(place->dir, "/") ? place->dir : "",
                 MERGE_TMP_PREFIX, random, MERGE_TMP_SUFFIX);
    return n < 0 || n >= PATH_MAX ? ENAMETOOLONG : 0;
}

int merge_place_create(struct merge_place *place, struct merge_error *error)
{
    int number = EEXIST;

    remove_dead_ones(place);
    for (int attempt = 0; attempt < 100 && number == EEXIST; attempt++) {
        number = temporary_name(place, place->tmp);
        if (!number)
            number = create_locked(place);
    }
    if (!number && keep_mode(place))
        number = errno;
    if (place->fd < 0)
        place->tmp[0] = 0;
    return number
               ? merge_place_fail(place, error, "no temporary file can be made beside it", number)
               : 0;
}

int merge_place_scratch(const struct merge_place *place, int *fd, struct merge_error *error)
{
    int number = EEXIST;

    for (int attempt = 0; attempt < 100 && number == EEXIST; attempt++) {
        struct merge_place other = {.fd = -1};

        number = temporary_name(place, other.tmp);
        if (!number)
            number = create_locked(&other);
        if (!number) {
            unlink(other.tmp);
            *fd = other.fd;
        }
    }
    return number
               ? merge_place_fail(place, error, "no temporary file can be made beside it", number)
               : 0;
}

/* Takes the bytes that SQLite locks: alone if fd can be written. 0, or an errno. The lock is that
 * of the open file and not of the process, so it also keeps out a SQLite in this process. Only
 * kernels before 3.15 and macOS have nothing but locks of the process. */
static int try_lock(int fd, bool alone)
{
    struct flock lock = {.l_type = alone ? F_WRLCK : F_RDLCK,
                         .l_whence = SEEK_SET,
                         .l_start = SQLITE_LOCK_START,
                         .l_len = SQLITE_LOCK_LEN};

#ifdef F_OFD_SETLK
    if (fcntl(fd, F_OFD_SETLK, &lock) == 0)
        return 0;
    if (errno != EINVAL)
        return errno;
#endif
    return fcntl(fd, F_SETLK, &lock) ? errno : 0;
}

/* Is it a SQLite of this process that has the lock which we could not get? */
static bool locked_by_us(int fd)
{
#ifdef F_OFD_GETLK
    struct flock lock = {.l_type = F_WRLCK,
                         .l_whence = SEEK_SET,
                         .l_start = SQLITE_LOCK_START,
                         .l_len = SQLITE_LOCK_LEN};

    return fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK && lock.l_pid == getpid();
#else
    (void)fd;
    return false;
#endif
}

/* Waits for the lock as long as SQLite does. False: somebody else has it. A file system without
 * locks has none to wait for. */
static bool wait_for_lock(int fd, bool alone)
{
    struct timespec pause = {.tv_nsec = 20 * 1000 * 1000};
    int number;

    for (int waited = 0; (number = try_lock(fd, alone)); waited += 20) {
        if (number != EAGAIN && number != EACCES && number != EINTR)
            return true;
        if (waited >= MERGE_BUSY_MS)
            return false;
        nanosleep(&pause, NULL);
    }
    return true;
}

static int lock_old(struct merge_place *place, bool alone, struct merge_error *error)
{
    if (wait_for_lock(place->locked, alone))
        return 0;
    if (locked_by_us(place->locked))
        place->locked = -1; /* stays open for good: to close it would drop that lock */
    return merge_fail(error, MERGE_ERR_DATA,
                      "Couldn't replace data file '%s': another program holds its lock; try again"
                      " when that has ended, or write another data file",
                      place->real);
}

int merge_place_read(const char *path, int *fd, struct merge_error *error)
{
    struct stat st;

    *fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (*fd < 0 || fstat(*fd, &st))
        return merge_fail(error, MERGE_ERR_DATA, "Couldn't use data file '%s': %s", path,
                          strerror(errno));
    if (!S_ISREG(st.st_mode))
        return merge_fail(error, MERGE_ERR_DATA, "Couldn't use data file '%s': it is not a file",
                          path);
    if (wait_for_lock(*fd, false))
        return 0;
    if (locked_by_us(*fd))
        *fd = -1; /* as above */
    return merge_fail(error, MERGE_ERR_BUSY,
                      "Couldn't use data file '%s': another program is writing it", path);
}

/* A file that we may only read has a lock that keeps writers out; one that we may not even read is
 * replaced without, as coverage.py deletes it without. */
int merge_place_lock(struct merge_place *place, struct merge_error *error)
{
    struct stat there;
    int status = 0;

    while (!status && place->locked < 0) {
        bool alone = true;

        place->locked = open(place->real, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
        if (place->locked < 0) {
            alone = false;
            place->locked = open(place->real, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
        }
        if (place->locked < 0)
            return 0;
        status = lock_old(place, alone, error);
        if (status || fstat(place->locked, &place->old))
            break;
        place->exists = true;
        place->writable = alone;
        /* It may have been replaced while we waited. */
        if (stat(place->real, &there) || there.st_ino != place->old.st_ino ||
            there.st_dev != place->old.st_dev) {
            close(place->locked);
            place->locked = -1;
        }
    }
    return status;
}

/* A journal or write-ahead log of the old file would be applied to the new one and ruin it. */
static int remove_leftovers(const struct merge_place *place, struct merge_error *error)
{
    static const char *const ends[] = {"-journal", "-wal", "-shm"};

    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        char path[PATH_MAX + 16];

        snprintf(path, sizeof path, "%s%s", place->real, ends[i]);
        if (unlink(path) && errno != ENOENT)
            return merge_fail(error, MERGE_ERR_DATA,
                              "Couldn't replace data file '%s': '%s' belongs to the old file and"
                              " cannot be removed: %s; remove it by hand",
                              place->real, path, strerror(errno));
    }
    return 0;
}

static int copy_bytes(int from, int to)
{
    char *buffer = malloc(COPY_BYTES);
    off_t at = 0;
    ssize_t n = -1;

    if (!buffer)
        return -1;
    while ((n = pread(from, buffer, COPY_BYTES, at)) > 0) {
        for (ssize_t done = 0; done < n;) {
            ssize_t written = pwrite(to, buffer + done, (size_t)(n - done), at + done);

            if (written < 0 && errno == EINTR)
                continue;
            if (written <= 0) {
                n = -1;
                goto out;
            }
            done += written;
        }
        at += n;
    }
    if (n == 0 && (ftruncate(to, at) || fsync(to)))
        n = -1;
out:
    free(buffer);
    return n < 0 ? -1 : 0;
}

/* Replaces the content of a target that is a mount point. The old content is gone with the first
 * byte, so a failure leaves the temporary file, which is complete. */
static int copy_into_place(struct merge_place *place, struct merge_error *error)
{
    if (place->locked < 0 || !place->writable)
        return merge_place_fail(place, error, "it is a mount point and cannot be written", EACCES);
    if (copy_bytes(place->fd, place->locked)) {
        int number = errno;
        char kept[PATH_MAX];
        int len = (int)(strlen(place->tmp) - (sizeof MERGE_TMP_SUFFIX - 1));

        /* Renamed, or the next merge would remove it. */
        snprintf(kept, sizeof kept, "%.*s.data", len, place->tmp);
        if (rename(place->tmp, kept))
            strcpy(kept, place->tmp);
        place->tmp[0] = 0;
        return merge_fail(error, MERGE_ERR_DATA,
                          "Couldn't write data file '%s', which is a mount point: %s. It is"
                          " not usable now; the complete data is in '%s'",
                          place->real, strerror(number), kept);
    }
    unlink(place->tmp);
    place->tmp[0] = 0;
    return 0;
}

static void sync_folder(const struct merge_place *place)
{
    int fd = open(place->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0)
        return;
    fsync(fd); /* some file systems cannot; the rename is done either way */
    close(fd);
}

int merge_place_commit(struct merge_place *place, struct merge_error *error)
{
    int status;

    if (give_mode(place) || fsync(place->fd))
        return merge_place_fail(place, error, "the temporary file cannot be synced", errno);
    status = merge_place_lock(place, error);
    if (!status)
        status = remove_leftovers(place, error);
    if (status)
        return status;
    SEG_KILL_POINT("merge.synced");
    /* Under its new name others find it before we have closed it. Nobody has a lock on it yet. */
    try_lock(place->fd, true);
    if (rename(place->tmp, place->real) == 0) {
        SEG_KILL_POINT("merge.renamed");
        place->tmp[0] = 0;
        sync_folder(place);
        return 0;
    }
    if (errno == EBUSY || errno == EXDEV)
        return copy_into_place(place, error);
    return merge_place_fail(place, error, "the old file cannot be replaced", errno);
}

void merge_place_close(struct merge_place *place)
{
    if (place->tmp[0])
        unlink(place->tmp);
    if (place->fd >= 0)
        close(place->fd);
    if (place->locked >= 0)
        close(place->locked);
    place->tmp[0] = 0;
    place->fd = place->locked = -1;
}
