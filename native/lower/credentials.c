/* Acting as the caller: new objects get the caller's owner, and ext4's reserved blocks stay out of
 * reach of whoever may not use them (design 5). Everything here is per thread; the raw system
 * calls are used because glibc would change all threads of the process. */
#include "lower/lower.h"

#include <errno.h>
#include <linux/capability.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

struct acting {
    int initialised;
    uint32_t uid;
    uint32_t gid;
    uint32_t umask;
    uint64_t permitted;
    uint64_t effective;
};

static _Thread_local struct acting acting;

#define CAPABILITY(number) (UINT64_C(1) << (number))

/* Without these the functions of lower/ would fail in the middle of an operation, or worse, an
 * object would silently belong to root: setfsuid reports no error. */
#define NEEDED                                                                                    \
    (CAPABILITY(CAP_SETUID) | CAPABILITY(CAP_SETGID) | CAPABILITY(CAP_DAC_OVERRIDE) |             \
     CAPABILITY(CAP_DAC_READ_SEARCH) | CAPABILITY(CAP_FOWNER) | CAPABILITY(CAP_CHOWN) |           \
     CAPABILITY(CAP_SYS_ADMIN))

static int set_effective(uint64_t effective)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2];

    if (syscall(SYS_capget, &header, data) < 0)
        return -errno;
    data[0].effective = (uint32_t)effective;
    data[1].effective = (uint32_t)(effective >> 32);
    if (syscall(SYS_capset, &header, data) < 0)
        return -errno;
    acting.effective = effective;
    return 0;
}

static uint64_t wanted_capabilities(int may_exceed)
{
    uint64_t wanted = acting.permitted;

    if (!may_exceed)
        wanted &= ~CAPABILITY(CAP_SYS_RESOURCE);
    /* CAP_FSETID stays: whether a setgid bit may be set has been decided above the mount, where
     * the caller's groups are known. */
    return wanted;
}

int mn_lower_thread_init(void)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[2];

    if (acting.initialised)
        return 0;
    if (syscall(SYS_capget, &header, data) < 0)
        return -errno;
    acting.permitted = data[0].permitted | (uint64_t)data[1].permitted << 32;
    if ((acting.permitted & NEEDED) != NEEDED)
        return -EPERM;
    /* The umask belongs to the fs_struct that the threads of a process share. */
    if (unshare(CLONE_FS) < 0)
        return -errno;
    syscall(SYS_setfsgid, 0);
    syscall(SYS_setfsuid, 0);
    umask(0);
    acting.uid = 0;
    acting.gid = 0;
    acting.umask = 0;
    int result = set_effective(wanted_capabilities(0));
    if (result == 0)
        acting.initialised = 1;
    return result;
}

int mn_lower_act_as(uint32_t uid, uint32_t gid, uint32_t umask_bits, int may_exceed)
{
    if (uid == UINT32_MAX || gid == UINT32_MAX)
        return -EINVAL;
    int result = mn_lower_thread_init();
    if (result < 0)
        return result;
    umask_bits &= 0777;
    if (umask_bits != acting.umask) {
        umask(umask_bits);
        acting.umask = umask_bits;
    }
    if (gid != acting.gid) {
        syscall(SYS_setfsgid, gid);
        acting.gid = gid;
    }
    uint64_t wanted = wanted_capabilities(may_exceed);
    if (uid != acting.uid) {
        syscall(SYS_setfsuid, uid);
        /* The kernel drops or raises the file system capabilities when this leaves or enters 0. */
        if ((uid == 0) != (acting.uid == 0))
            acting.effective = 0;
        acting.uid = uid;
    }
    return wanted == acting.effective ? 0 : set_effective(wanted);
}

void mn_lower_act_as_root(void)
{
    /* Going back to 0 within the permitted set cannot be refused once thread_init succeeded. */
    (void)mn_lower_act_as(0, 0, 0, 0);
}
