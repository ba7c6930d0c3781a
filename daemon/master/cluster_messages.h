// Node's cluster protocol as text: what a worker says on its channel, and what a primary answers.
// One JSON value and '\n' per message; facts and sources in Node's lib/internal/cluster and
// lib/internal/child_process, identical on the wire from Node 16 to 24 (apart from `flags`).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>

#include "common/model/inspection.h"
#include "common/model/instance.h"

namespace slc {

// Both come back in our answers, and a frame must fit into a buffer of the kernel whole (16 KiB;
// JSON may make six bytes of one). Longer than sensible paths of sockets.
inline constexpr std::size_t kMostAddress = 1024;
// Of what workers share about a listener. Node's ticket keys take 100 bytes.
inline constexpr std::size_t kMostData = 4096;

// What a worker sends.
struct Online {};
struct QueryServer {  // it wants to listen; must be answered, its 'listening' waits for it
  std::uint64_t seq = 0;
  std::uint64_t index = 0;  // counts listens of the same address in that worker
  std::string address;      // numeric, a path (unix), or empty: any
  bool any_address = true;  // address was null
  int port = 0;             // -1 for unix
  std::string type;         // "4", "6", "-1" (unix), "udp4", "udp6", "" (fd; or not to be had)
  int fd = -1;              // listen({fd}): a descriptor number of the primary
  int flags = 0;
  int backlog = 511;          // Node sends false or 0 when the app gave none
  std::string data;           // raw JSON (TLS ticket keys), "null" if absent or over kMostData
  bool readable_all = false;  // unix: of the socket's file
  bool writable_all = false;
};
struct Listening {
  std::string address;
  int port = 0;
  std::string type;
};
struct CloseServer {
  std::string key;
};
struct ExitedAfterDisconnect {
  std::uint64_t seq = 0;
};
struct Accepted {  // answer to our newconn
  std::uint64_t ack = 0;
  bool accepted = false;
};
struct HandleAck {};
struct HandleNack {};
struct HandleSent {};  // the app sent us a handle; must be acknowledged or its queue stops
struct AgentHello {
  std::string version;
};
struct AgentListening {  // a server that bound by itself (exclusive, reusePort)
  std::string address;
  int port = 0;
};
struct AgentPong {        // answers AgentPing
  bool debugged = false;  // a debugger is attached, or may be
  std::uint64_t id = 0;   // the ping's
};
struct AgentInspected {  // answers AgentInspect
  std::uint64_t id = 0;
  std::optional<std::string> error;
  int debugger_port = 0;
  std::string debugger_host;
};
struct AgentInspection {  // what goes on in it now
  InspectionState state;
};
struct AgentStandstill {  // its event loop stands still from now on, for that
  Inspection what = Inspection::kHeapSnapshot;
};
struct AgentParked {};   // a spare: it has come to a listen() that would bind by itself
struct AppReady {};      // process.send('ready')
struct OtherMessage {};  // the app's own business
struct TooDeep {         // readable, but deeper than any message of Node's
  std::size_t depth = 0;
};
struct Garbage {};  // not JSON

using WorkerMessage =
    std::variant<Online, QueryServer, Listening, CloseServer, ExitedAfterDisconnect, Accepted,
                 HandleAck, HandleNack, HandleSent, AgentHello, AgentListening, AgentPong,
                 AgentParked, AgentInspected, AgentInspection, AgentStandstill, AppReady,
                 OtherMessage, TooDeep, Garbage>;

// `line` without its '\n'. A leading 0x02 (Bun) is passed over.
WorkerMessage ParseWorkerMessage(std::string_view line);

// True for a line that announces a handle, even if only its beginning is known.
bool AnnouncesHandle(std::string_view line);

// What the primary sends; each with its '\n', ready for one sendmsg.
std::string NewConnection(const std::string& key, std::uint64_t seq);  // + the connection
std::string SharedListener(std::uint64_t ack, const ListenerFacts& listener,
                           std::uint64_t seq);  // + the listening socket
// Round robin: no descriptor, the worker waits for newconn.
std::string RoundRobinListener(std::uint64_t ack, const ListenerFacts& listener, std::uint64_t seq);
// errno_value as a positive errno, e.g. EADDRINUSE.
std::string ListenError(std::uint64_t ack, const std::string& key, int errno_value,
                        std::uint64_t seq);
std::string Acknowledge(std::uint64_t ack, std::uint64_t seq);
std::string HandleAcknowledgement();
std::string Disconnect(std::uint64_t seq);
std::string AgentDrain(Millis linger);
// To our agent in a spare: it waits, and has the time to write what Node has compiled.
std::string AgentKeepCode();
// To the same: it has that slot now.
std::string AgentPromote(SlotNumber slot);
// To our agent in a worker that drains: the drain timeout is over, end what is still connected.
std::string AgentHangUp();
// To our agent: answer from the event loop (AgentPong). Only to one that AnswersPings. With an
// `id`, which only one that EchoesPings gives back: when all that came before is answered.
std::string AgentPing(std::uint64_t id = 0);
bool AnswersPings(const std::string& agent_version);
bool EchoesPings(const std::string& agent_version);
// Of the agent that we are installed with.
inline constexpr const char* kAgentVersion = "1.3.0";
// To our agent: show something of yourself. Only to one that CanInspect. Of what HasResult() with
// the socket for it.
struct AgentQuestion {
  std::uint64_t id = 0;
  Inspection what = Inspection::kCpuStart;
  std::uint32_t interval = 0;  // microseconds
  double until = 0;            // by the clock of process.hrtime(), ms
  std::string by;
  std::string request;
};
std::string AgentInspect(const AgentQuestion& question);
// Another agent than ours answers differently, and would load what is not its own.
bool CanInspect(const std::string& agent_version, Inspection what);
// The messages applications listen for to shut down: PM2's and StrongLoop's.
std::string ShutdownText();
std::string ShutdownCommand();

}  // namespace slc
