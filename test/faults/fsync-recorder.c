/*
 * Records what a process has forced to the disk, so that a power cut can be simulated; makes the disk slow.
 *
 * Preloaded into a browser (LD_PRELOAD). For every file under FSYNC_ROOT it remembers the ranges that were
 * written, and with each fsync or fdatasync of the file it puts their bytes into a journal: what the journal
 * tells is what a power cut leaves. Renamings and deletions are journaled too, for they are no more durable
 * than bytes before something is forced. What is mapped and written through memory is not seen; FSYNC_CHECK
 * has every sync carry a hash of the whole file, so that a test can tell that nothing was missed.
 *
 *   FSYNC_ROOT      folder that is watched, an absolute path without a slash at its end
 *   FSYNC_JOURNAL   folder for the journals, one per process; without it nothing is recorded
 *   FSYNC_COUNT     "1": the journal tells of syncs without bytes
 *   FSYNC_CHECK     "1": with hashes
 *   FSYNC_DELAY_US  every sync takes so many microseconds longer
 *
 * An entry of the journal, little endian: u32 kind (1 sync, 2 sync of a folder, 3 rename, 4 delete), u32
 * number of ranges, u64 monotonic time in ns, u64 inode, u64 size (rename: inode that was replaced), u64 hash
 * (0: none), u32 length of the path, u32 length of the second path; both paths; for each range u64 offset, u64
 * length, bytes. The last entry of a process that was killed may be cut off.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { KIND_SYNC = 1, KIND_FOLDER_SYNC = 2, KIND_RENAME = 3, KIND_DELETE = 4 };
enum { HEADER_BYTES = 48, BUCKETS = 1024 };

struct range {
  uint64_t offset;
  uint64_t length;
};

/* A file that was written and not synced since; written only under the lock. */
struct file {
  struct file *next;
  dev_t device;
  ino_t inode;
  size_t count;
  size_t capacity;
  struct range *ranges;
};

static const char *root;
static size_t root_length;
static const char *journal_folder;
static int counts_only;
static int checks;
static long delay_us;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct file *files[BUCKETS];
static int journal = -1;
static pid_t journal_owner;

static int (*real_fsync)(int);
static int (*real_fdatasync)(int);
static ssize_t (*real_write)(int, const void *, size_t);
static ssize_t (*real_pwrite)(int, const void *, size_t, off64_t);
static ssize_t (*real_writev)(int, const struct iovec *, int);
static ssize_t (*real_pwritev)(int, const struct iovec *, int, off64_t);
static int (*real_ftruncate)(int, off64_t);
static int (*real_fallocate)(int, int, off64_t, off64_t);
static int (*real_posix_fallocate)(int, off64_t, off64_t);
static ssize_t (*real_sendfile)(int, int, off64_t *, size_t);
static ssize_t (*real_copy_file_range)(int, off64_t *, int, off64_t *, size_t, unsigned);
static int (*real_rename)(const char *, const char *);
static int (*real_unlink)(const char *);
static int (*real_unlinkat)(int, const char *, int);

static void lock_for_fork(void) { pthread_mutex_lock(&lock); }
static void unlock_after_fork(void) { pthread_mutex_unlock(&lock); }

/* A hook may be called before the constructor of this library has run. */
static void prepare(void) {
  static int prepared;
  if (__atomic_load_n(&prepared, __ATOMIC_ACQUIRE)) return;
  real_fsync = dlsym(RTLD_NEXT, "fsync");
  real_fdatasync = dlsym(RTLD_NEXT, "fdatasync");
  real_write = dlsym(RTLD_NEXT, "write");
  real_pwrite = dlsym(RTLD_NEXT, "pwrite64");
  real_writev = dlsym(RTLD_NEXT, "writev");
  real_pwritev = dlsym(RTLD_NEXT, "pwritev64");
  real_ftruncate = dlsym(RTLD_NEXT, "ftruncate64");
  real_fallocate = dlsym(RTLD_NEXT, "fallocate64");
  real_posix_fallocate = dlsym(RTLD_NEXT, "posix_fallocate64");
  real_sendfile = dlsym(RTLD_NEXT, "sendfile64");
  real_copy_file_range = dlsym(RTLD_NEXT, "copy_file_range");
  real_rename = dlsym(RTLD_NEXT, "rename");
  real_unlink = dlsym(RTLD_NEXT, "unlink");
  real_unlinkat = dlsym(RTLD_NEXT, "unlinkat");
  __atomic_store_n(&prepared, 1, __ATOMIC_RELEASE);
}

/* Chromium's processes write their titles over the variables that they were started with. */
static char *copy_of(const char *text) { return text == NULL ? NULL : strdup(text); }

__attribute__((constructor)) static void configure(void) {
  prepare();
  root = copy_of(getenv("FSYNC_ROOT"));
  root_length = root == NULL ? 0 : strlen(root);
  journal_folder = copy_of(getenv("FSYNC_JOURNAL"));
  const char *count = getenv("FSYNC_COUNT");
  counts_only = count != NULL && strcmp(count, "1") == 0;
  const char *check = getenv("FSYNC_CHECK");
  checks = check != NULL && strcmp(check, "1") == 0;
  const char *delay = getenv("FSYNC_DELAY_US");
  delay_us = delay == NULL ? 0 : atol(delay);
  pthread_atfork(lock_for_fork, unlock_after_fork, unlock_after_fork);
}

static int is_watched(const char *path) {
  return root_length > 0 && strncmp(path, root, root_length) == 0 && path[root_length] == '/';
}

/* The path that a descriptor was opened under, or has by now. Returns whether it is watched. */
static int path_of(int fd, char path[PATH_MAX]) {
  char link[32];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  ssize_t length = readlink(link, path, PATH_MAX - 1);
  if (length <= 0) return 0;
  path[length] = '\0';
  return is_watched(path);
}

/* Whether writes to a descriptor are to be remembered. */
static int is_recorded(int fd, struct stat *status) {
  char path[PATH_MAX];
  if (journal_folder == NULL || counts_only || root_length == 0) return 0;
  int before = errno;
  int recorded = fstat(fd, status) == 0 && S_ISREG(status->st_mode) && path_of(fd, path);
  errno = before;
  return recorded;
}

static struct file **slot_of(const struct stat *status) {
  struct file **slot = &files[status->st_ino % BUCKETS];
  while (*slot != NULL && ((*slot)->inode != status->st_ino || (*slot)->device != status->st_dev)) {
    slot = &(*slot)->next;
  }
  return slot;
}

/* Under the lock. */
static void forget(const struct stat *status) {
  struct file **slot = slot_of(status);
  struct file *file = *slot;
  if (file == NULL) return;
  *slot = file->next;
  free(file->ranges);
  free(file);
}

/* Under the lock. */
static void note(const struct stat *status, uint64_t offset, uint64_t length) {
  if (length == 0) return;
  struct file **slot = slot_of(status);
  if (*slot == NULL) {
    *slot = calloc(1, sizeof **slot);
    if (*slot == NULL) abort();
    (*slot)->device = status->st_dev;
    (*slot)->inode = status->st_ino;
  }
  struct file *file = *slot;
  struct range *last = file->count == 0 ? NULL : &file->ranges[file->count - 1];
  if (last != NULL && last->offset + last->length == offset) {
    last->length += length;
    return;
  }
  if (file->count == file->capacity) {
    file->capacity = file->capacity == 0 ? 16 : file->capacity * 2;
    file->ranges = realloc(file->ranges, file->capacity * sizeof *file->ranges);
    if (file->ranges == NULL) abort();
  }
  file->ranges[file->count++] = (struct range){offset, length};
}

/* Where the next write without an offset goes. */
static uint64_t position_of(int fd, const struct stat *status) {
  if ((fcntl(fd, F_GETFL) & O_APPEND) != 0) return (uint64_t)status->st_size;
  return (uint64_t)lseek64(fd, 0, SEEK_CUR);
}

struct buffer {
  uint8_t *bytes;
  size_t length;
};

static uint8_t *extend(struct buffer *buffer, size_t length) {
  buffer->bytes = realloc(buffer->bytes, buffer->length + length);
  if (buffer->bytes == NULL) abort();
  uint8_t *at = buffer->bytes + buffer->length;
  buffer->length += length;
  return at;
}

static void put(struct buffer *buffer, const void *bytes, size_t length) {
  memcpy(extend(buffer, length), bytes, length);
}

/* Begins an entry; its number of ranges stands at 4. */
static void begin(struct buffer *entry, uint32_t kind, uint64_t inode, uint64_t size, uint64_t hash,
                  const char *path, const char *second) {
  const uint32_t first[2] = {kind, 0};
  const uint64_t numbers[4] = {0, inode, size, hash};
  const uint32_t lengths[2] = {(uint32_t)strlen(path), (uint32_t)strlen(second)};
  put(entry, first, sizeof first);
  put(entry, numbers, sizeof numbers);
  put(entry, lengths, sizeof lengths);
  put(entry, path, lengths[0]);
  put(entry, second, lengths[1]);
}

/* Under the lock: adds the entry, with the time of now, to the journal of this process. */
static void append(struct buffer *entry) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  const uint64_t time = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
  memcpy(entry->bytes + 8, &time, sizeof time);
  if (journal < 0 || journal_owner != getpid()) {
    char path[PATH_MAX];
    journal_owner = getpid();
    snprintf(path, sizeof path, "%s/%d.journal", journal_folder, (int)journal_owner);
    journal = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (journal < 0) abort();
  }
  for (size_t done = 0; done < entry->length;) {
    ssize_t written = real_write(journal, entry->bytes + done, entry->length - done);
    if (written < 0 && errno != EINTR) abort();
    if (written > 0) done += (size_t)written;
  }
}

static uint64_t hash_of(int fd, uint64_t size) {
  uint64_t hash = 0xcbf29ce484222325u;
  static uint8_t bytes[65536];
  for (uint64_t at = 0; at < size;) {
    ssize_t length = pread64(fd, bytes, sizeof bytes, (off64_t)at);
    if (length <= 0) break;
    for (ssize_t i = 0; i < length; i++) hash = (hash ^ bytes[i]) * 0x100000001b3u;
    at += (uint64_t)length;
  }
  return hash == 0 ? 1 : hash;
}

/* Under the lock: the bytes that were written to a file since it was synced last. */
static void take_written(struct buffer *entry, int fd, const struct stat *status, const char *path) {
  char link[32];
  snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
  int readable = open(link, O_RDONLY | O_CLOEXEC);
  if (readable < 0) abort();
  const uint64_t size = (uint64_t)status->st_size;
  const uint64_t hash = checks ? hash_of(readable, size) : 0;
  begin(entry, KIND_SYNC, status->st_ino, size, hash, path, "");
  struct file *file = *slot_of(status);
  uint32_t count = 0;
  for (size_t i = 0; file != NULL && i < file->count; i++) {
    struct range range = file->ranges[i];
    if (range.offset >= size) continue;
    if (range.length > size - range.offset) range.length = size - range.offset;
    put(entry, &range, sizeof range);
    uint8_t *bytes = extend(entry, range.length);
    for (uint64_t done = 0; done < range.length;) {
      ssize_t length = pread64(readable, bytes + done, range.length - done, (off64_t)(range.offset + done));
      if (length <= 0) abort();
      done += (uint64_t)length;
    }
    count++;
  }
  memcpy(entry->bytes + 4, &count, sizeof count);
  close(readable);
  forget(status);
}

static int synced(int fd, int (*real)(int)) {
  char path[PATH_MAX];
  struct stat status;
  struct buffer entry = {NULL, 0};
  const int watched = root_length > 0 && fstat(fd, &status) == 0 && path_of(fd, path);
  const int recorded = watched && journal_folder != NULL;
  if (recorded) {
    pthread_mutex_lock(&lock);
    fstat(fd, &status);
    if (S_ISDIR(status.st_mode)) begin(&entry, KIND_FOLDER_SYNC, status.st_ino, 0, 0, path, "");
    else if (counts_only) begin(&entry, KIND_SYNC, status.st_ino, (uint64_t)status.st_size, 0, path, "");
    else take_written(&entry, fd, &status, path);
    pthread_mutex_unlock(&lock);
  }
  int result = real(fd);
  int error = errno;
  if (watched && delay_us > 0) {
    struct timespec delay = {delay_us / 1000000, (delay_us % 1000000) * 1000};
    while (nanosleep(&delay, &delay) != 0 && errno == EINTR) {
    }
  }
  if (recorded && result == 0) {
    pthread_mutex_lock(&lock);
    append(&entry);
    pthread_mutex_unlock(&lock);
  }
  free(entry.bytes);
  errno = error;
  return result;
}

int fsync(int fd) {
  prepare();
  return synced(fd, real_fsync);
}

int fdatasync(int fd) {
  prepare();
  return synced(fd, real_fdatasync);
}

/* Runs a write under the lock, so that no sync sees its bytes without their range. */
#define RECORDED_WRITE(fd, at, call)                                       \
  do {                                                                     \
    struct stat status;                                                    \
    prepare();                                                             \
    if (!is_recorded(fd, &status)) return call;                            \
    pthread_mutex_lock(&lock);                                             \
    fstat(fd, &status);                                                    \
    const uint64_t offset = at;                                            \
    ssize_t length = call;                                                 \
    const int error = errno;                                               \
    if (length > 0) note(&status, offset, (uint64_t)length);               \
    pthread_mutex_unlock(&lock);                                           \
    errno = error;                                                         \
    return length;                                                         \
  } while (0)

ssize_t write(int fd, const void *bytes, size_t count) {
  RECORDED_WRITE(fd, position_of(fd, &status), real_write(fd, bytes, count));
}

ssize_t writev(int fd, const struct iovec *parts, int count) {
  RECORDED_WRITE(fd, position_of(fd, &status), real_writev(fd, parts, count));
}

ssize_t pwrite64(int fd, const void *bytes, size_t count, off64_t offset64) {
  RECORDED_WRITE(fd, (uint64_t)offset64, real_pwrite(fd, bytes, count, offset64));
}

ssize_t pwrite(int fd, const void *bytes, size_t count, off_t offset64) {
  RECORDED_WRITE(fd, (uint64_t)offset64, real_pwrite(fd, bytes, count, offset64));
}

ssize_t pwritev64(int fd, const struct iovec *parts, int count, off64_t offset64) {
  RECORDED_WRITE(fd, (uint64_t)offset64, real_pwritev(fd, parts, count, offset64));
}

ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t offset64) {
  RECORDED_WRITE(fd, (uint64_t)offset64, real_pwritev(fd, parts, count, offset64));
}

ssize_t sendfile64(int fd, int from, off64_t *at, size_t count) {
  RECORDED_WRITE(fd, position_of(fd, &status), real_sendfile(fd, from, at, count));
}

ssize_t sendfile(int fd, int from, off_t *at, size_t count) {
  return sendfile64(fd, from, (off64_t *)at, count);
}

ssize_t copy_file_range(int from, off64_t *from_at, int fd, off64_t *at, size_t count, unsigned flags) {
  RECORDED_WRITE(fd, at == NULL ? position_of(fd, &status) : (uint64_t)*at,
                 real_copy_file_range(from, from_at, fd, at, count, flags));
}

/* What is cut off may come back as zeros, and so does what an allocation adds or punches out. */
static int resized(int fd, uint64_t from, int (*resize)(int, va_list), ...) {
  struct stat status;
  va_list arguments;
  va_start(arguments, resize);
  const int recorded = is_recorded(fd, &status);
  if (recorded) pthread_mutex_lock(&lock);
  if (recorded) fstat(fd, &status);
  int result = resize(fd, arguments);
  const int error = errno;
  if (recorded) {
    const uint64_t before = (uint64_t)status.st_size;
    if (from < before) note(&status, from, before - from);
    pthread_mutex_unlock(&lock);
  }
  va_end(arguments);
  errno = error;
  return result;
}

static int truncate_now(int fd, va_list arguments) {
  return real_ftruncate(fd, va_arg(arguments, off64_t));
}

static int allocate_now(int fd, va_list arguments) {
  const int mode = va_arg(arguments, int);
  const off64_t offset = va_arg(arguments, off64_t);
  return real_fallocate(fd, mode, offset, va_arg(arguments, off64_t));
}

int ftruncate64(int fd, off64_t size) {
  prepare();
  return resized(fd, (uint64_t)size, truncate_now, size);
}

int ftruncate(int fd, off_t size) { return ftruncate64(fd, size); }

int fallocate64(int fd, int mode, off64_t offset, off64_t length) {
  prepare();
  return resized(fd, (uint64_t)offset, allocate_now, mode, offset, length);
}

int fallocate(int fd, int mode, off_t offset, off_t length) {
  return fallocate64(fd, mode, offset, length);
}

/* Runs a change of names under the lock and journals it when it succeeds. */
#define RECORDED_CHANGE(kind, path, second, call)                                      \
  do {                                                                                 \
    prepare();                                                                         \
    struct stat status = {0}, replaced = {0};                                          \
    if (journal_folder == NULL || counts_only || !is_watched(path)) return call;       \
    pthread_mutex_lock(&lock);                                                         \
    const int there = lstat(path, &status) == 0 && S_ISREG(status.st_mode);            \
    const int taken = (second)[0] != '\0' && lstat(second, &replaced) == 0;            \
    const int result = call;                                                           \
    const int error = errno;                                                           \
    if (there && result == 0) {                                                        \
      struct buffer entry = {NULL, 0};                                                 \
      begin(&entry, kind, status.st_ino, taken ? replaced.st_ino : 0, 0, path, second); \
      append(&entry);                                                                  \
      free(entry.bytes);                                                               \
      if ((kind) == KIND_DELETE && status.st_nlink == 1) forget(&status);              \
      if (taken) forget(&replaced);                                                    \
    }                                                                                  \
    pthread_mutex_unlock(&lock);                                                       \
    errno = error;                                                                     \
    return result;                                                                     \
  } while (0)

int rename(const char *from, const char *to) {
  RECORDED_CHANGE(KIND_RENAME, from, to, real_rename(from, to));
}

int unlink(const char *path) { RECORDED_CHANGE(KIND_DELETE, path, "", real_unlink(path)); }

int unlinkat(int folder, const char *name, int flags) {
  char path[PATH_MAX];
  prepare();
  if (name[0] == '/' || folder == AT_FDCWD || (flags & AT_REMOVEDIR) != 0) {
    RECORDED_CHANGE(KIND_DELETE, name, "", real_unlinkat(folder, name, flags));
  }
  if (!path_of(folder, path)) return real_unlinkat(folder, name, flags);
  strncat(path, "/", PATH_MAX - strlen(path) - 1);
  strncat(path, name, PATH_MAX - strlen(path) - 1);
  RECORDED_CHANGE(KIND_DELETE, path, "", real_unlinkat(folder, name, flags));
}
