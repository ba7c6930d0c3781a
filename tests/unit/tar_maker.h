// Tar archives for tests, block by block, among them such as no tar would write.
#pragma once

#include <zlib.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

namespace slc {

class TarMaker {
 public:
  struct Header {
    char type = '0';
    std::string name;
    std::string link = {};
    std::uint64_t size = 0;
    unsigned mode = 0644;
    std::string prefix = {};
    bool gnu = false;           // the magic
    std::string raw_size = {};  // the field's 12 bytes
    bool sound = true;          // the checksum is right
  };

  TarMaker& Add(const Header& header, std::string_view content = {}) {
    std::string block(512, '\0');
    Put(block, 0, header.name.substr(0, 100));
    Put(block, 100, Octal(header.mode, 7));
    Put(block, 108, Octal(1000, 7));
    Put(block, 116, Octal(1000, 7));
    Put(block, 124, header.raw_size.empty() ? Octal(header.size, 11) : header.raw_size);
    Put(block, 136, Octal(499162500, 11));
    Put(block, 148, "        ");
    block[156] = header.type;
    Put(block, 157, header.link.substr(0, 100));
    Put(block, 257, header.gnu ? std::string("ustar  \0", 8) : std::string("ustar\00000", 8));
    Put(block, 345, header.prefix);
    unsigned sum = header.sound ? 0 : 1;
    for (const char c : block) sum += static_cast<unsigned char>(c);
    Put(block, 148, Octal(sum, 6) + std::string("\0 ", 2));
    bytes_ += block;
    bytes_ += content;
    bytes_.resize((bytes_.size() + 511) / 512 * 512, '\0');
    return *this;
  }
  TarMaker& File(const std::string& name, std::string_view content = {}, unsigned mode = 0644) {
    Header header{'0', name};
    header.size = content.size();
    header.mode = mode;
    return Add(header, content);
  }
  TarMaker& Folder(const std::string& name) { return Add({'5', name}); }
  TarMaker& Link(char type, const std::string& name, const std::string& target) {
    return Add({type, name, target});
  }
  // 'x' or 'g' with what Record made; 'L' or 'K' with a name and its NUL.
  TarMaker& Extra(char type, std::string_view content) {
    Header header{type, type == 'x' || type == 'g' ? "PaxHeader" : "././@LongLink"};
    header.size = content.size();
    header.gnu = type == 'L' || type == 'K';
    return Add(header, content);
  }
  TarMaker& End() {
    bytes_.append(1024, '\0');
    return *this;
  }
  TarMaker& Raw(std::string_view bytes) {
    bytes_ += bytes;
    return *this;
  }
  const std::string& bytes() const { return bytes_; }

  // "27 path=package/index.js\n".
  static std::string Record(const std::string& key, const std::string& value) {
    const std::size_t rest = key.size() + value.size() + 3;
    std::size_t size = rest + 1;
    while (std::to_string(size).size() + rest != size) ++size;
    return std::to_string(size) + " " + key + "=" + value + "\n";
  }

 private:
  static void Put(std::string& block, std::size_t at, std::string_view text) {
    block.replace(at, text.size(), text);
  }
  static std::string Octal(std::uint64_t value, int digits) {
    char text[32];
    std::snprintf(text, sizeof(text), "%0*llo", digits, static_cast<unsigned long long>(value));
    return text;
  }

  std::string bytes_;
};

inline std::string Gzip(std::string_view plain, int level = 6) {
  z_stream stream{};
  if (::deflateInit2(&stream, level, Z_DEFLATED, 16 + MAX_WBITS, 8, Z_DEFAULT_STRATEGY) != Z_OK) {
    std::abort();
  }
  std::string packed(::deflateBound(&stream, plain.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(plain.data()));
  stream.avail_in = static_cast<uInt>(plain.size());
  stream.next_out = reinterpret_cast<Bytef*>(packed.data());
  stream.avail_out = static_cast<uInt>(packed.size());
  if (::deflate(&stream, Z_FINISH) != Z_STREAM_END) std::abort();
  packed.resize(stream.total_out);
  ::deflateEnd(&stream);
  return packed;
}

}  // namespace slc
