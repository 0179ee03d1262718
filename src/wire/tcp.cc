// TCP header: checked once, written once, printed in one line.
#include "sluice/wire/tcp.h"

#include <array>
#include <string_view>
#include <utility>

namespace sluice::wire {
namespace {

std::string options_text(const TcpOptions& options) {
    std::string text;
    if (options.mss) text += " mss " + std::to_string(*options.mss);
    if (options.window_scale) text += " wscale " + std::to_string(*options.window_scale);
    if (options.sack_permitted) text += " sackOK";
    if (options.timestamps) {
        text += " TS " + std::to_string(options.timestamps->value) + "/" +
                std::to_string(options.timestamps->echo);
    }
    for (std::size_t i = 0; i < options.sack_count; ++i) {
        text += " sack " + std::to_string(options.sack[i].left) + "-" + std::to_string(options.sack[i].right);
    }
    return text;
}

}  // namespace

std::optional<TcpView> TcpView::parse(ByteView segment) {
    if (segment.size() < kTcpHeaderSize) return std::nullopt;
    const TcpView view(segment);
    if (view.header_size() < kTcpHeaderSize || view.header_size() > segment.size()) return std::nullopt;
    return view;
}

std::optional<TcpHeader> TcpView::header() const {
    // Filled where it will be read: options made elsewhere would be copied right after they were written.
    std::optional<TcpHeader> header(std::in_place);
    if (!read_tcp_options(option_bytes(), header->options)) return std::nullopt;
    header->source_port = source_port();
    header->destination_port = destination_port();
    header->sequence = sequence();
    header->acknowledgement = acknowledgement();
    header->flags = flags();
    header->window = window();
    header->urgent_pointer = urgent_pointer();
    return header;
}

std::size_t tcp_header_size(const TcpHeader& header) {
    return kTcpHeaderSize + tcp_options_size(header.options);
}

std::size_t write_tcp_header(const TcpHeader& header, ByteSpan out) {
    const std::size_t size = kTcpHeaderSize + write_tcp_options(header.options, out.subspan(kTcpHeaderSize));
    std::byte* const p = out.data();
    store16(p, header.source_port);
    store16(p + kTcpDestinationPortAt, header.destination_port);
    store32(p + kTcpSequenceAt, header.sequence);
    store32(p + kTcpAcknowledgementAt, header.acknowledgement);
    store8(p + kTcpDataOffsetAt, static_cast<std::uint8_t>(size / 4U << 4U));
    store8(p + kTcpFlagsAt, header.flags.to_byte());
    store16(p + kTcpWindowAt, header.window);
    store16(p + kTcpChecksumAt, 0);
    store16(p + kTcpUrgentPointerAt, header.urgent_pointer);
    return size;
}

std::string to_string(TcpFlags flags) {
    const std::array<std::pair<bool, std::string_view>, 8> names{{{flags.fin, "FIN"},
                                                                  {flags.syn, "SYN"},
                                                                  {flags.rst, "RST"},
                                                                  {flags.psh, "PSH"},
                                                                  {flags.ack, "ACK"},
                                                                  {flags.urg, "URG"},
                                                                  {flags.ece, "ECE"},
                                                                  {flags.cwr, "CWR"}}};
    std::string text;
    for (const auto& [set, name] : names) {
        if (!set) continue;
        if (!text.empty()) text += '|';
        text += name;
    }
    return text.empty() ? "-" : text;
}

std::string to_string(const TcpHeader& header, std::size_t payload_size) {
    std::string text = "TCP " + std::to_string(header.source_port) + " > " +
                       std::to_string(header.destination_port) + " " + to_string(header.flags) + " seq " +
                       std::to_string(header.sequence);
    if (header.flags.ack) text += " ack " + std::to_string(header.acknowledgement);
    text += " win " + std::to_string(header.window);
    if (header.flags.urg) text += " urg " + std::to_string(header.urgent_pointer);
    return text + options_text(header.options) + " len " + std::to_string(payload_size);
}

}  // namespace sluice::wire
