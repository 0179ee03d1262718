// Opens and drives one DPDK device. The opening is a list of steps that each may refuse with a sentence; the
// bursts at the end are all that the data path touches.
#include "sluice/port/dpdk_port.h"

#include <net/if.h>
#include <rte_dev.h>
#include <rte_errno.h>
#include <rte_ethdev.h>
#include <rte_mempool.h>
#include <rte_spinlock.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <iterator>
#include <string_view>

#include "eal_arguments.h"
#include "kernel_interface.h"
#include "mbuf_frames.h"
#include "packet_sockets.h"
#include "sluice/port/dpdk_environment.h"
#include "sluice/port/packet_ring.h"

namespace sluice::port {
namespace {

constexpr std::size_t kBurst = 64;
constexpr std::uint16_t kNoDevice = RTE_MAX_ETHPORTS;
constexpr std::uint64_t kHashedFlows = RTE_ETH_RSS_NONFRAG_IPV4_TCP | RTE_ETH_RSS_NONFRAG_IPV6_TCP;
// Of the hash key that Microsoft's RSS specifies; meant by drivers that name no size.
constexpr std::uint8_t kUsualKeySize = 40;

std::string device_name(const std::string& device) { return device.substr(0, device.find(',')); }

class DpdkPort final : public Port {
  public:
    explicit DpdkPort(const DpdkPortOptions& options) : index_(options.index) {
        info_.name = options.name;
        info_.device = device_name(options.device);
        info_.mtu = options.mtu;
    }
    ~DpdkPort() override;

    bool open(rte_mempool* mempool, const DpdkPortOptions& options, std::string& error);

    std::size_t receive(std::uint16_t queue, std::span<Frame> out) override;
    std::size_t transmit(std::uint16_t queue, std::span<const Frame> frames) override;
    const PortInfo& info() const override { return info_; }
    std::vector<int> wait_handles(std::uint16_t queue) const override;
    Link link() const override;
    PortStatistics statistics() const override;

  private:
    bool probe(const std::string& device, std::string& error);
    bool choose_queues(const DpdkPortOptions& options, std::string& error);
    bool configure(const DpdkPortOptions& options, std::string& error);
    bool fit_mtu(const DpdkPortOptions& options, rte_eth_conf& config, std::string& error) const;
    void ask_for_rss(const DpdkPortOptions& options, rte_eth_conf& config);
    bool fits_xdp(const rte_mempool& pool, std::string& error) const;
    bool set_up_queues(rte_mempool* mempool, std::string& error);
    bool start(std::string& error);
    bool describe_rings(const DpdkPortOptions& options);
    void add_kernels_drops(PortStatistics& counts) const;
    void read_rss();
    std::string failure(const std::string& what, int code) const {
        return "port " + info_.name + ": device " + info_.device + ": " + what + ": " + rte_strerror(-code);
    }
    std::size_t send(std::uint16_t queue, std::span<const Frame> frames) const;

    const std::uint16_t index_;
    PortInfo info_;
    std::uint16_t id_ = kNoDevice;
    rte_eth_dev_info device_{};
    bool probed_ = false;  // by us, so ours to remove
    bool started_ = false;
    bool shared_transmit_ = false;                // more workers than transmit queues
    std::vector<rte_spinlock_t> transmit_locks_;  // by transmit queue, used only then
    std::vector<int> sockets_;                    // af_packet: by queue
    mutable std::uint64_t socket_drops_ = 0;      // of sockets_ so far
    std::vector<int> xdp_sockets_;                // af_xdp: by queue
    std::string interface_;                       // the kernel's name of what either drives
    std::uint64_t interface_drops_ = 0;           // when it was opened
};

DpdkPort::~DpdkPort() {
    for (const int socket : sockets_) send_what_waits(socket);
    if (started_) rte_eth_dev_stop(id_);
    if (id_ == kNoDevice) return;
    rte_eth_dev_close(id_);
    if (probed_) rte_dev_remove(device_.device);
}

bool DpdkPort::open(rte_mempool* mempool, const DpdkPortOptions& options, std::string& error) {
    return probe(options.device, error) && choose_queues(options, error) && configure(options, error) &&
           set_up_queues(mempool, error) && start(error) && describe_rings(options);
}

// A PCI device, or one from the operator's own EAL arguments, is there already; others are plugged in now.
bool DpdkPort::probe(const std::string& device, std::string& error) {
    if (rte_eth_dev_get_port_by_name(info_.device.c_str(), &id_) != 0) {
        id_ = kNoDevice;
        if (is_pci_device(device)) {
            error = "port " + info_.name + ": no DPDK driver has taken PCI device " + info_.device +
                    "; bind it with `dpdk-devbind.py --bind=vfio-pci " + info_.device + "`";
            return false;
        }
        const int code = rte_dev_probe(device.c_str());
        if (code != 0) {
            error = failure("cannot be opened", code);
            return false;
        }
        if (rte_eth_dev_get_port_by_name(info_.device.c_str(), &id_) != 0) {
            id_ = kNoDevice;
            error = "port " + info_.name + ": device " + info_.device + " is not a network device";
            return false;
        }
        probed_ = true;
    }
    if (const int code = rte_eth_dev_info_get(id_, &device_); code != 0) {
        error = failure("does not describe itself", code);
        return false;
    }
    if (device_.hash_key_size == 0) device_.hash_key_size = kUsualKeySize;
    info_.driver = device_.driver_name;
    return true;
}

bool DpdkPort::choose_queues(const DpdkPortOptions& options, std::string& error) {
    const auto workers = static_cast<std::uint16_t>(options.workers);
    info_.rx_queues = std::min(workers, device_.max_rx_queues);
    info_.tx_queues = std::min(workers, device_.max_tx_queues);
    if (info_.rx_queues == 0 || info_.tx_queues == 0) {
        error = "port " + info_.name + ": device " + info_.device + " has no queues";
        return false;
    }
    shared_transmit_ = info_.tx_queues < workers;
    transmit_locks_.resize(info_.tx_queues);
    for (rte_spinlock_t& lock : transmit_locks_) rte_spinlock_init(&lock);
    if (info_.driver != kPacketDriver) return true;

    // Each socket gets its share of the flows from the kernel, read or not.
    if (device_.max_rx_queues > workers) {
        error = "port " + info_.name + ": device " + info_.device +
                " has qpairs=" + std::to_string(device_.max_rx_queues) + ", more than the " +
                std::to_string(workers) + " workers";
        return false;
    }
    sockets_ = packet_sockets(static_cast<int>(device_.if_index));
    if (sockets_.size() != device_.max_rx_queues) sockets_.clear();  // not understood: not waited for
    return true;
}

bool DpdkPort::configure(const DpdkPortOptions& options, std::string& error) {
    rte_eth_conf config{};
    config.txmode.offloads = device_.tx_offload_capa & RTE_ETH_TX_OFFLOAD_MBUF_FAST_FREE;
    if (!fit_mtu(options, config, error)) return false;
    ask_for_rss(options, config);
    const int code = rte_eth_dev_configure(id_, info_.rx_queues, info_.tx_queues, &config);
    if (code != 0) error = failure("cannot be configured", code);
    return code == 0;
}

// af_packet claims 1500 whatever its ring holds, and sets the kernel interface's MTU when it is told one:
// there the ring decides, and the interface is its owner's.
bool DpdkPort::fit_mtu(const DpdkPortOptions& options, rte_eth_conf& config, std::string& error) const {
    std::uint32_t largest = device_.max_mtu;
    if (info_.driver == kPacketDriver) {
        largest = longest_frame(ring_of(options.device).frame_size) - RTE_ETHER_HDR_LEN;
    } else {
        config.rxmode.mtu = options.mtu;
    }
    if (options.mtu <= largest) return true;
    error = "port " + info_.name + ": device " + info_.device + " carries an MTU of " +
            std::to_string(largest) + " at most, not " + std::to_string(options.mtu);
    return false;
}

void DpdkPort::ask_for_rss(const DpdkPortOptions& options, rte_eth_conf& config) {
    const std::uint64_t functions = device_.flow_type_rss_offloads & kHashedFlows;
    if (functions == 0 || info_.rx_queues < 2) return;
    config.rxmode.mq_mode = RTE_ETH_MQ_RX_RSS;
    config.rx_adv_conf.rss_conf.rss_hf = functions;
    if (options.rss_key.size() != device_.hash_key_size) return;  // none given, or none that fits
    info_.rss.key = options.rss_key;
    config.rx_adv_conf.rss_conf.rss_key = info_.rss.key.data();
    config.rx_adv_conf.rss_conf.rss_key_len = device_.hash_key_size;
}

// What the driver takes for granted: it registers the pool with the kernel as one row of buffers, which the
// kernel wants no longer than a page.
bool DpdkPort::fits_xdp(const rte_mempool& pool, std::string& error) const {
    const std::size_t buffer = pool.header_size + pool.elt_size + pool.trailer_size;
    if (buffer > static_cast<std::size_t>(sysconf(_SC_PAGESIZE))) {
        error = "AF_XDP takes packet buffers of at most a page, so no port's mtu may be larger than 1964";
    } else if (pool.nb_mem_chunks != 1) {
        error =
            "AF_XDP takes packet buffers in one piece of memory, and there was none large enough; reserve "
            "more "
            "hugepages, or set memory = \"pages\"";
    } else {
        return true;
    }
    return false;
}

bool DpdkPort::set_up_queues(rte_mempool* mempool, std::string& error) {
    if (info_.driver == kXdpDriver && !fits_xdp(*mempool, error)) return false;
    std::uint16_t rx_slots = info_.driver == kXdpDriver ? kXdpBuffers : kDescriptors;
    std::uint16_t tx_slots = kDescriptors;
    const std::vector<int> before = xdp_sockets();
    int code = rte_eth_dev_adjust_nb_rx_tx_desc(id_, &rx_slots, &tx_slots);
    const auto socket = static_cast<unsigned>(rte_eth_dev_socket_id(id_));
    for (std::uint16_t q = 0; q < info_.rx_queues && code == 0; ++q)
        code = rte_eth_rx_queue_setup(id_, q, rx_slots, socket, nullptr, mempool);
    for (std::uint16_t q = 0; q < info_.tx_queues && code == 0; ++q)
        code = rte_eth_tx_queue_setup(id_, q, tx_slots, socket, nullptr);
    info_.rx_slots = rx_slots;
    if (info_.driver == kXdpDriver)
        std::ranges::set_difference(xdp_sockets(), before, std::back_inserter(xdp_sockets_));
    if (code != 0) error = failure("its queues cannot be set up", code);
    return code == 0;
}

bool DpdkPort::start(std::string& error) {
    rte_ether_addr mac{};
    int code = rte_eth_macaddr_get(id_, &mac);
    if (code == 0) code = rte_eth_dev_start(id_);
    if (code != 0) {
        error = failure("cannot be started", code);
        return false;
    }
    started_ = true;
    std::copy_n(mac.addr_bytes, info_.mac.bytes.size(), info_.mac.bytes.begin());
    // A device that has no such filter delivers everything and says "not supported": good too. For af_packet
    // these are the kernel interface's own.
    if (info_.driver != kPacketDriver) {
        (void)rte_eth_promiscuous_disable(id_);
        (void)rte_eth_allmulticast_enable(id_);
    }
    read_rss();
    return true;
}

// Rings that are shared with the kernel, and from when on its interface's drops are ours.
bool DpdkPort::describe_rings(const DpdkPortOptions& options) {
    if (!shares_rings(info_.driver)) return true;
    if (info_.driver == kPacketDriver) {
        const PacketRing ring = ring_of(options.device);
        info_.rx_slots = ring.frames;
        info_.ring_bytes = ring.bytes(device_.max_rx_queues);
    }
    info_.take_ahead = true;
    std::array<char, IF_NAMESIZE> name{};
    if (if_indextoname(device_.if_index, name.data()) != nullptr) interface_ = name.data();
    interface_drops_ = kernel::dropped(interface_);
    return true;
}

// What the device really does, which a driver may have changed from what was asked. Some take a key only
// here, not when they are configured.
void DpdkPort::read_rss() {
    rte_eth_rss_conf rss{};
    rss.rss_key_len = device_.hash_key_size;
    if (!info_.rss.key.empty()) {
        rss.rss_key = info_.rss.key.data();
        rss.rss_hf = device_.flow_type_rss_offloads & kHashedFlows;
        (void)rte_eth_dev_rss_hash_update(id_, &rss);
    }
    info_.rss.key.resize(device_.hash_key_size);
    rss.rss_key = info_.rss.key.data();
    std::vector<rte_eth_rss_reta_entry64> table((device_.reta_size + RTE_ETH_RETA_GROUP_SIZE - 1U) /
                                                RTE_ETH_RETA_GROUP_SIZE);
    for (rte_eth_rss_reta_entry64& group : table) group.mask = ~std::uint64_t{0};
    const bool known = info_.rx_queues > 1 && device_.reta_size != 0 &&
                       rte_eth_dev_rss_hash_conf_get(id_, &rss) == 0 &&
                       rte_eth_dev_rss_reta_query(id_, table.data(), device_.reta_size) == 0;
    if (!known) {
        info_.rss = {};
        return;
    }
    info_.rss.ipv4 = (rss.rss_hf & RTE_ETH_RSS_NONFRAG_IPV4_TCP) != 0;
    info_.rss.ipv6 = (rss.rss_hf & RTE_ETH_RSS_NONFRAG_IPV6_TCP) != 0;
    for (std::uint16_t i = 0; i < device_.reta_size; ++i)
        info_.rss.queues.push_back(table[i / RTE_ETH_RETA_GROUP_SIZE].reta[i % RTE_ETH_RETA_GROUP_SIZE]);
}

std::size_t DpdkPort::receive(std::uint16_t queue, std::span<Frame> out) {
    if (queue >= info_.rx_queues) return 0;
    std::array<rte_mbuf*, kBurst> burst;
    const auto wanted = static_cast<std::uint16_t>(std::min(out.size(), kBurst));
    const std::uint16_t n = rte_eth_rx_burst(id_, queue, burst.data(), wanted);
    for (std::uint16_t i = 0; i < n; ++i) out[i] = to_frame(burst[i], index_);
    return n;
}

std::size_t DpdkPort::transmit(std::uint16_t queue, std::span<const Frame> frames) {
    if (!shared_transmit_) return send(queue, frames);
    queue = static_cast<std::uint16_t>(queue % info_.tx_queues);
    rte_spinlock_lock(&transmit_locks_[queue]);
    const std::size_t sent = send(queue, frames);
    rte_spinlock_unlock(&transmit_locks_[queue]);
    return sent;
}

std::size_t DpdkPort::send(std::uint16_t queue, std::span<const Frame> frames) const {
    std::size_t sent = 0;
    while (sent < frames.size()) {
        std::array<rte_mbuf*, kBurst> burst;
        const auto wanted = static_cast<std::uint16_t>(std::min(frames.size() - sent, kBurst));
        for (std::uint16_t i = 0; i < wanted; ++i) burst[i] = to_mbuf(frames[sent + i]);
        const std::uint16_t taken = rte_eth_tx_burst(id_, queue, burst.data(), wanted);
        sent += taken;
        if (taken < wanted) break;
    }
    return sent;
}

std::vector<int> DpdkPort::wait_handles(std::uint16_t queue) const {
    if (queue >= sockets_.size()) return {};
    return {sockets_[queue]};
}

// af_packet and af_xdp say "up" for ever; the kernel knows better.
Link DpdkPort::link() const {
    rte_eth_link link{};
    if (rte_eth_link_get_nowait(id_, &link) != 0) return {};
    Link out{.up = link.link_status == RTE_ETH_LINK_UP, .speed = link.link_speed};
    if (out.speed == RTE_ETH_SPEED_NUM_UNKNOWN) out.speed = 0;
    if (interface_.empty()) return out;
    out.up = kernel::has_carrier(interface_);
    out.speed = 0;
    return out;
}

PortStatistics DpdkPort::statistics() const {
    rte_eth_stats stats{};
    if (rte_eth_stats_get(id_, &stats) != 0) return {};
    PortStatistics counts{.rx_frames = stats.ipackets,
                          .rx_bytes = stats.ibytes,
                          .rx_missed = stats.imissed,
                          .rx_errors = stats.ierrors,
                          .rx_no_buffer = stats.rx_nombuf,
                          .tx_frames = stats.opackets,
                          .tx_bytes = stats.obytes,
                          .tx_errors = stats.oerrors};
    if (!interface_.empty()) add_kernels_drops(counts);
    return counts;
}

// The drivers tell little of what the kernel dropped: af_packet nothing, af_xdp only what found no buffer.
void DpdkPort::add_kernels_drops(PortStatistics& counts) const {
    for (const int socket : sockets_) socket_drops_ += take_packet_drops(socket);
    counts.rx_ring_full = socket_drops_;
    for (const int socket : xdp_sockets_) {
        const XdpDrops drops = xdp_drops(socket);
        counts.rx_ring_full += drops.ring_full;
        counts.rx_no_fill += drops.no_buffer;
    }
    counts.rx_missed = counts.rx_ring_full + counts.rx_no_fill;
    const std::uint64_t dropped = kernel::dropped(interface_);
    counts.rx_interface_dropped = dropped - std::min(dropped, interface_drops_);
}

}  // namespace

std::unique_ptr<Port> open_dpdk_port(DpdkEnvironment& environment, const DpdkPortOptions& options,
                                     std::string& error) {
    auto port = std::make_unique<DpdkPort>(options);
    if (!port->open(environment.mempool(), options, error)) return nullptr;
    return port;
}

}  // namespace sluice::port
