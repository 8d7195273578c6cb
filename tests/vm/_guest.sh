# shellcheck shell=bash
# A guest of QEMU with Debian's own kernel, made of this machine's files. Sourced by run.
#
#   switch (namespace)                        guest
#     bridge transit --- taps "guest0" to 3 --- eth0 to 3
#     taps "nic0" to 5 ------------------------ PCI NICs for DPDK, behind an IOMMU (_nic.sh)
#     $RUN/guest.in, $RUN/guest.out ----------- ttyS1: commands, their output and status
#
# Emulated (TCG): not every machine that tests run on can give a guest its own processor.

GUEST_MEMORY_MIB=768
GUEST_HUGEPAGES=64
GUEST_MODULES="virtio_pci virtio_net veth ip6_tunnel ip6_gre ip_gre sit ipip fou tun
    xfrm_user esp4 esp6 authenc echainiv ctr sha512_generic drbg ecb cbc hmac sha256_generic
    mip6 vfio_pci vfio_iommu_type1 bridge sch_multiq sch_ingress cls_flower act_skbedit act_mirred"

# Two of each, at PCI 0000:00:10.0 and on: towards the gateways and towards the correspondents. With more
# queues than workers, so that one may be for signaling.
NIC_QUEUES=3
VIRTIO="virtio-net-pci,mq=on,vectors=8,rss=on,iommu_platform=on,ats=on,disable-legacy=on,csum=off,gso=off,guest_csum=off,guest_tso4=off,guest_tso6=off,guest_ufo=off"
NICS=("$VIRTIO" "$VIRTIO" e1000e e1000e vmxnet3 vmxnet3)

# Copies programs to where they are here, with the libraries that they load.
copy_with_libraries() { # copy_with_libraries root file ...
    local file
    for file in "${@:2}"; do
        [[ -e $1$file ]] || install -D "$file" "$1$file"
        copy_libraries "$1" "$file"
    done
}

copy_libraries() { # copy_libraries root file
    local file
    ldd "$2" | grep -o '/[^ ]*' |
        while read -r file; do [[ -e $1$file ]] || install -D "$file" "$1$file"; done
}

# Our own programs, and the drivers that DPDK loads by itself.
copy_ours() { # copy_ours root
    local name file
    for name in anchord anchorctl anchor-mag; do
        strip -o "$1/bin/$name" "$BIN/$name"
        copy_libraries "$1" "$BIN/$name"
    done
    for name in mempool_ring bus_pci net_af_packet net_virtio net_e1000 net_vmxnet3 net_tap; do
        for file in "$(pkg-config --variable=libdir libdpdk)"/dpdk/pmds-*/librte_$name.so; do
            copy_with_libraries "$1" "$(readlink -f "$file")"
        done
    done
    # Some are libraries of others. Each once: of two copies both would be loaded.
    find "$1" -name 'librte_*' -not -path '*/pmds-*' | while read -r name; do
        file=$(readlink -f "${name#"$1"}")
        [[ $file == */pmds-* ]] || continue
        [[ -e $1$file ]] || install -D "$file" "$1$file"
        ln -sf "$file" "$name"
    done
}

# The standard library as far as exchange.py needs it.
copy_python() { # copy_python root
    /usr/bin/python3 -I -S -c 'import socket, sys
for m in sys.modules.values():
    file = getattr(m, "__file__", None)
    if file: print(file)' | while read -r file; do install -D "$file" "$1$file"; done
    local program
    program=$(readlink -f /usr/bin/python3)
    copy_with_libraries "$1" "$program"
    ln -s "${program##*/}" "$1/usr/bin/python3"
    mkdir -p "$1/usr/lib/${program##*/}/lib-dynload" # it wants one
}

# strongSwan, if it is there: from where it was unpacked to where it belongs.
copy_ike() { # copy_ike root
    local file
    # shellcheck disable=SC2154 # of scripts/setup
    [[ -e $vm_ike ]] || return 0
    mkdir -p "$1/usr/sbin" "$1/usr/lib"
    cp -a "$vm_ike/usr/lib/ipsec" "$1/usr/lib/"
    cp "$vm_ike"/usr/sbin/{charon-systemd,swanctl} "$1/usr/sbin/"
    for file in "$1"/usr/sbin/* "$1"/usr/lib/ipsec/plugins/*.so; do
        LD_LIBRARY_PATH=$vm_ike/usr/lib/ipsec ldd "$file" | grep -o '=> /[^ ]*' | cut -c4- |
            while read -r file; do [[ -e $1$file ]] || install -D "$file" "$1$file"; done
    done
}

guest_image() { # guest_image file
    local root version n=100 file
    root=$(mktemp -d "$RUN/image.XXXX")
    # shellcheck disable=SC2154 # of scripts/setup
    version=$(basename "$vm_kernel"/lib/modules/*)
    mkdir -p "$root"/{bin,sbin,modules,proc,sys,dev,run,tmp,lib,var}
    ln -s /run "$root/var/run"
    install tests/vm/init "$root/init"
    install tests/vm/exchange.py "$root/exchange.py"
    install /bin/busybox "$root/bin/busybox"
    copy_with_libraries "$root" "$(readlink -f "$(command -v ip)")"
    copy_python "$root"
    copy_ours "$root"
    copy_ike "$root"
    # shellcheck disable=SC2086 # words
    modprobe -a -d "$vm_kernel" -S "$version" --show-depends $GUEST_MODULES |
        awk '$1 == "insmod" && !seen[$2]++ {print $2}' |
        while read -r file; do
            cp "$file" "$root/modules/$((n++))-${file##*/}"
        done
    find "$root/modules" -name '*.xz' -exec xz -d {} + # Debian 13
    (cd "$root" && find . | cpio --quiet -o -H newc) >"$1"
    rm -rf "$root"
}

# Boots it and waits until it takes commands.
guest_start() {
    local n nics=()
    guest_image "$RUN/guest.cpio"
    mkfifo "$RUN/guest.in" "$RUN/guest.out"
    exec 7<>"$RUN/guest.in" 8<>"$RUN/guest.out"
    for n in {0..3}; do
        in_ns switch ip tuntap add guest$n mode tap
        in_ns switch ip link set guest$n master transit up
        nics+=(-netdev "tap,id=eth$n,ifname=guest$n,script=no,downscript=no"
            -device "virtio-net-pci,netdev=eth$n,mac=02:00:00:00:b0:0$n,romfile=,csum=off,gso=off,guest_csum=off,guest_tso4=off,guest_tso6=off,guest_ufo=off")
    done
    for n in "${!NICS[@]}"; do
        local several='' queues=''
        [[ ${NICS[n]} != *mq=on* ]] || several=multi_queue queues=,queues=$NIC_QUEUES
        in_ns switch ip tuntap add nic$n mode tap $several
        in_ns switch ip link set nic$n mtu 9000 up
        nics+=(-netdev "tap,id=nic$n,ifname=nic$n,script=no,downscript=no$queues"
            -device "${NICS[n]},netdev=nic$n,mac=02:00:00:00:c0:0$n,addr=0x1$n,romfile=")
    done
    start guest switch nice -n 5 qemu-system-x86_64 -accel tcg -M q35 -cpu max -m $GUEST_MEMORY_MIB \
        -device intel-iommu,intremap=on,caching-mode=on,device-iotlb=on \
        -nodefaults -no-reboot -display none \
        -kernel "$vm_kernel/image" -initrd "$RUN/guest.cpio" \
        -append "console=ttyS0 quiet panic=-1 no_timer_check mitigations=off nokaslr random.trust_cpu=on intel_iommu=on iommu=nopt hugepages=$GUEST_HUGEPAGES" \
        -serial "file:$RUN/console.log" -chardev "pipe,id=commands,path=$RUN/guest" -serial chardev:commands \
        "${nics[@]}"
    guest_answer 150 || fail "the guest did not come up"
}

guest_answer() { # guest_answer [seconds]: the output of a command, and its status
    local line
    while IFS= read -r -t "${1:-60}" line <&8; do
        case $line in
            =*) return "${line#=}" ;;
            *) echo "${line# }" ;;
        esac
    done
    fail "the guest does not answer"
}

# Runs a command of the shell in the guest.
guest() { # guest command ...
    local line="$*"
    printf '%s\n' "${line//$'\n'/ }" >&7
    guest_answer
}
