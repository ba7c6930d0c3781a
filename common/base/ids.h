// The numbers that name things. All start at 1; 0 means "none".
#pragma once

#include <cstdint>
#include <string>

namespace slc {

using ServiceId = std::uint32_t;   // per home, never reused
using WorkerId = std::uint32_t;    // per service, never reused; = cluster.worker.id = WID in tables
using SlotNumber = std::uint32_t;  // 1..size
using Generation = std::uint32_t;  // per service, raised by each restart, soft restart or release
using Epoch = std::uint64_t;  // grows with each process that takes charge; the lower one yields

// A random identifier (128 bits, hex) for a client's request: a retry with the same one has no
// second effect.
std::string NewRequestId();

}  // namespace slc
