#!/bin/busybox sh
# The first process of a test machine. Makes the host's files its root, read-only below and memory above, and goes on with job.sh
# there. Whatever fails here ends this process: the kernel panics, the machine ends, and its console has the reason.
set -e
/bin/busybox --install -s /bin
PATH=/bin
p9=trans=virtio,version=9p2000.L,msize=512000

mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
while read -r module; do insmod "/modules/$module"; done </modules/order

# What was read once is kept: a file that the host changes while the machine runs may be seen as it was.
mount -t 9p -o "$p9,cache=loose,ro" host /host
mount -t tmpfs -o mode=755 tmpfs /memory
mkdir /memory/upper /memory/work
mount -t overlay -o lowerdir=/host,upperdir=/memory/upper,workdir=/memory/work overlay /root

mkdir -p /root/job
mount -t 9p -o "$p9,cache=none" job /root/job
read -r checkout </root/job/checkout
read -r modules </root/job/modules

release=$(uname -r)
mkdir -p "/root/lib/modules/$release"
mount --bind "/root$modules" "/root/lib/modules/$release"

# What runs on the host does not run here, so these places are empty; but the checkout may be in one of them.
mount --bind "/root$checkout" /checkout
for place in tmp run dev/shm; do
  [ "$place" = dev/shm ] && mount --move /dev /root/dev && mkdir -p /root/dev/pts /root/dev/shm
  mount -t tmpfs -o mode=1777 tmpfs "/root/$place"
done
mkdir -p "/root$checkout" /root/run/lock
mount --move /checkout "/root$checkout"

mount -t devpts devpts /root/dev/pts
mount -t cgroup2 cgroup2 /sys/fs/cgroup
cp /job.sh /root/run/job.sh
mount --move /proc /root/proc
mount --move /sys /root/sys
exec switch_root /root /bin/sh /run/job.sh
