// TarReader: the members in the bytes of a tar archive (ustar, pax, GNU's long names), one event at
// a time.
//
// It refuses what programs read in different ways, because then somebody who looked at the archive
// has seen another one: damaged headers, two names for one member, content where there can be none,
// an archive without its end or with something behind it. Of members only files, folders, symbolic
// and hard links are known; devices, fifos, sparse files and GNU's volumes are refused. Names are
// as they stand in the archive and not to be trusted, see member_path.h.
//
// Pure: bytes in, events out. Needs memory for one header and its names.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "common/base/result.h"
#include "daemon/deploy/unpack/core/pax_records.h"
#include "daemon/deploy/unpack/core/tar_header.h"

namespace slc::unpack {

struct TarMember {
  enum class Kind { kFile, kFolder, kSymlink, kHardlink };
  Kind kind = Kind::kFile;
  std::string path;
  std::string link;        // what a link points to
  std::uint64_t size = 0;  // bytes of a file's content; links and folders have none
  bool executable = false;
};

class TarReader {
 public:
  // Bytes of a pax header, or of a long name of GNU's. What is packed with attributes of files
  // (SELinux, ACLs) needs some hundred.
  static constexpr std::size_t kMostExtra = 64U << 10;

  enum class Event {
    kMore,     // all bytes were taken, more are needed
    kMember,   // member() is there; its content follows
    kData,     // data() is a piece of the content
    kEnd,      // the archive's end was read; nothing but zeros may follow
    kRefused,  // error() says why; nothing follows
  };

  // Takes what the next event needs from the front of `bytes`.
  Event Next(std::string_view& bytes);
  // There are no more bytes. kInvalid unless the end was read.
  Status Finish() const;

  // Of the last kMember.
  const TarMember& member() const { return member_; }
  // Of the last kData: a part of the bytes that were given.
  std::string_view data() const { return data_; }
  // Of kRefused; kInvalid.
  const Error& error() const { return error_; }

 private:
  enum class State { kHeader, kExtra, kContent, kPadding, kEnded, kRefused };

  Event Refuse(std::string reason);
  bool FillBlock(std::string_view& bytes);
  std::optional<Event> OnBlock();
  std::optional<Event> OnZeroBlock();
  std::optional<Event> BeginExtra(const TarHeader& header);
  std::optional<Event> EndExtra();
  Event BeginMember(const TarHeader& header);
  void BeginContent(State state, std::uint64_t size);

  State state_ = State::kHeader;
  std::string block_;            // of a header, as far as it has come
  std::uint64_t left_ = 0;       // bytes of content to come
  std::size_t padding_ = 0;      // bytes behind it
  bool one_zero_block_ = false;  // the end is two of them
  char extra_type_ = 0;
  std::string extra_;
  PaxRecords next_;        // what the headers before it say of the next member
  bool has_next_ = false;  // there are such headers
  TarMember member_;
  std::string_view data_;
  Error error_;
};

}  // namespace slc::unpack
