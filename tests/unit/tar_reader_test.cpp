#include "daemon/deploy/unpack/core/tar_reader.h"

#include <doctest/doctest.h>

#include "daemon/deploy/unpack/core/pax_records.h"
#include "tests/unit/tar_maker.h"

using namespace slc;
using namespace slc::unpack;

namespace {

// What is read, in pieces of so many bytes: a line per member, its content behind it.
std::string Read(std::string_view bytes, std::size_t piece = 512) {
  TarReader reader;
  std::string read;
  for (std::size_t at = 0; at < bytes.size(); at += piece) {
    std::string_view rest = bytes.substr(at, piece);
    while (true) {
      const TarReader::Event event = reader.Next(rest);
      if (event == TarReader::Event::kMore) break;
      if (event == TarReader::Event::kRefused) return read + "refused: " + reader.error().message;
      if (event == TarReader::Event::kEnd) read += "end\n";
      if (event == TarReader::Event::kData) read += reader.data();
      if (event != TarReader::Event::kMember) continue;
      const TarMember& member = reader.member();
      if (!read.empty() && read.back() != '\n') read += '\n';
      constexpr const char* kKinds[] = {"file", "folder", "symlink", "hardlink"};
      read += kKinds[static_cast<std::size_t>(member.kind)];
      read += " " + member.path + (member.link.empty() ? "" : " -> " + member.link) +
              (member.executable ? " x " : " ") + std::to_string(member.size) + "\n";
    }
  }
  const Status whole = reader.Finish();
  return whole ? read : read + "refused: " + whole.error().message;
}

bool Refused(const TarMaker& archive, const std::string& reason) {
  const std::string read = Read(archive.bytes());
  const bool refused = read.find("refused: ") != std::string::npos &&
                       read.find(reason, read.find("refused: ")) != std::string::npos;
  if (!refused) MESSAGE(read);
  return refused;
}

}  // namespace

TEST_CASE("a tar archive is read the same in whatever pieces it comes") {
  TarMaker archive;
  archive.Folder("package/").File("package/a.js", "one\n", 0755).File("package/empty");
  archive.File("package/long", std::string(1500, 'x') + "\n");
  archive.Link('2', "package/link", "a.js").Link('1', "package/hard", "package/a.js").End();
  const std::string expected =
      "folder package/ 0\n"
      "file package/a.js x 4\none\n"
      "file package/empty 0\n"
      "file package/long 1501\n" +
      std::string(1500, 'x') +
      "\n"
      "symlink package/link -> a.js 0\n"
      "hardlink package/hard -> package/a.js 0\n"
      "end\n";
  for (const std::size_t piece : {1U, 7U, 511U, 512U, 513U, 4096U, 1U << 20}) {
    CHECK(Read(archive.bytes(), piece) == expected);
  }
}

TEST_CASE("long names come by prefix, by GNU's headers, or by pax records") {
  const std::string name = "package/" + std::string(150, 'n');
  TarMaker prefix;
  prefix.Add({'0', "b", "", 0, 0644, "package/a"}).End();
  CHECK(Read(prefix.bytes()) == "file package/a/b 0\nend\n");
  TarMaker gnu;
  TarMaker::Header cut{'0', name};
  cut.gnu = true;
  gnu.Extra('L', name + '\0').Add(cut).End();
  CHECK(Read(gnu.bytes()) == "file " + name + " 0\nend\n");
  TarMaker pax;
  pax.Extra('g', TarMaker::Record("comment", "a commit"));
  pax.Extra('x', TarMaker::Record("mtime", "1.5") + TarMaker::Record("path", name)).File("cut");
  pax.Extra('x', TarMaker::Record("linkpath", name)).Link('2', "package/l", "cut").File("next");
  pax.End();
  CHECK(Read(pax.bytes()) ==
        "file " + name + " 0\nsymlink package/l -> " + name + " 0\nfile next 0\nend\n");
  // GNU keeps times where ustar has the prefix.
  TarMaker times;
  times.Add({'0', "a", "", 0, 0644, "14740410374", true}).End();
  CHECK(Read(times.bytes()) == "file a 0\nend\n");
}

TEST_CASE("sizes are octal, base-256 or a pax record, and nothing else") {
  const auto sized = [](const std::string& field) {
    TarMaker archive;
    TarMaker::Header header{'0', "a"};
    header.raw_size = field;
    return archive.Add(header, "abc").End();
  };
  CHECK(Read(sized("00000000003\0").bytes()) == "file a 3\nabcend\n");
  CHECK(Read(sized("          3 ").bytes()) == "file a 3\nabcend\n");
  CHECK(Read(sized(std::string("\x80\0\0\0\0\0\0\0\0\0\0\3", 12)).bytes()) == "file a 3\nabcend\n");
  CHECK(Refused(sized(std::string(12, '\xff')), "a size that is no number"));
  CHECK(Refused(sized(std::string("\x80") + std::string(11, '\xff')), "a size that is no number"));
  CHECK(Refused(sized(std::string("\x81\0\0\0\0\0\0\0\0\0\0\3", 12)), "a size that is no number"));
  CHECK(Refused(sized("-0000000003 "), "a size that is no number"));
  CHECK(Refused(sized("0000000003x "), "a size that is no number"));
  CHECK(Refused(sized("00000000008 "), "a size that is no number"));
  CHECK(Refused(sized("0000 0000003"), "a size that is no number"));
  // As large as can be written is read, and then does not come.
  CHECK(Refused(sized("777777777777"), "cut off"));
  TarMaker pax;
  pax.Extra('x', TarMaker::Record("size", "3")).Add({'0', "a"}, "abc").End();
  CHECK(Read(pax.bytes()) == "file a 3\nabcend\n");
  for (const char* size : {"-3", "", "3x", "0x3", "9223372036854775808", " 3"}) {
    CAPTURE(size);
    TarMaker bad;
    bad.Extra('x', TarMaker::Record("size", size)).Add({'0', "a"}, "abc").End();
    CHECK(Refused(bad, "no number"));
  }
}

TEST_CASE("an archive that is damaged, cut off or followed by something is refused") {
  TarMaker archive;
  archive.File("package/a", "content").Folder("package/b").End();
  const std::string& whole = archive.bytes();
  for (std::size_t size = 0; size < whole.size(); size += 512) {
    CAPTURE(size);
    CHECK(Read(whole.substr(0, size)).find("refused: the archive is cut off") != std::string::npos);
  }
  CHECK(Read(whole.substr(0, 700)).find("cut off") != std::string::npos);
  CHECK(Read(whole + std::string(10'000, '\0')).find("refused") == std::string::npos);
  CHECK(Read(whole + "x").find("something follows the end") != std::string::npos);
  CHECK(Read(whole + std::string(700, '\0') + "x").find("something follows") != std::string::npos);
  TarMaker half;
  half.File("a").Raw(std::string(512, '\0')).File("b").End();
  CHECK(Refused(half, "half of an end"));
  TarMaker wrong;
  TarMaker::Header header{'0', "a"};
  header.sound = false;
  CHECK(Refused(wrong.Add(header).End(), "checksum is wrong"));
  CHECK(Refused(TarMaker().Raw("PK\3\4").Raw(std::string(508, 'x')), "no tar archive"));
}

TEST_CASE("members that are no files, folders or links are refused, each by what it is") {
  const auto typed = [](char type) { return TarMaker().Add({type, "package/it"}).End(); };
  CHECK(Refused(typed('3'), "package/it is a character device"));
  CHECK(Refused(typed('4'), "a block device"));
  CHECK(Refused(typed('6'), "a fifo"));
  CHECK(Refused(typed('S'), "a sparse file"));
  CHECK(Refused(typed('M'), "a part of a backup"));
  CHECK(Refused(typed('Z'), "unknown type Z"));
  CHECK(Refused(typed('\1'), "unknown type \\x01"));
  CHECK(Refused(TarMaker()
                    .Extra('x', TarMaker::Record("GNU.sparse.major", "1"))
                    .File("package/it", "map")
                    .End(),
                "sparse files"));
}

TEST_CASE("what tars read in different ways is refused") {
  const std::string path = TarMaker::Record("path", "package/b");
  const auto refused = [](TarMaker archive, const std::string& reason) {
    return Refused(archive.End(), reason);
  };
  CHECK(refused(TarMaker().Extra('x', path).Extra('x', path).File("a"), "two headers"));
  CHECK(refused(TarMaker().Extra('L', std::string("b\0", 2)).Extra('x', path).File("a"),
                "two headers"));
  CHECK(refused(TarMaker().Extra('x', path).Extra('L', std::string("b\0", 2)).File("a"),
                "two names"));
  CHECK(refused(TarMaker().Extra('L', std::string("b\0c\0", 4)).File("a"), "holds a NUL"));
  CHECK(refused(TarMaker().Extra('L', "").File("a"), "a long name is empty"));
  CHECK(refused(TarMaker().Extra('x', path + path).File("a"), "two times a path"));
  CHECK(refused(TarMaker().Extra('x', TarMaker::Record("path", "")).File("a"), "unusable path"));
  CHECK(refused(TarMaker().Extra('x', TarMaker::Record("path", std::string("b\0c", 3))).File("a"),
                "unusable path"));
  CHECK(refused(TarMaker().Extra('x', TarMaker::Record("linkpath", "b")).File("a"), "is no link"));
  CHECK(refused(TarMaker().Extra('g', path).File("a"), "global pax header gives"));
  CHECK(refused(TarMaker().Extra('x', path).Extra('g', "").File("a"), "within a member"));
  CHECK(refused(TarMaker().Extra('x', path), "ends within a member"));
  CHECK(refused(TarMaker().File("a/"), "a file with the name of a folder"));
  CHECK(refused(TarMaker().Link('2', "a", ""), "a link to nothing"));
  for (const char type : {'1', '2', '5'}) {
    TarMaker::Header header{type, "a", "b"};
    header.size = 1;
    CHECK(refused(TarMaker().Add(header, "x"), "has content"));
  }
  TarMaker large;
  TarMaker::Header header{'x', "PaxHeader"};
  header.size = TarReader::kMostExtra + 1;
  CHECK(Refused(large.Add(header), "at most 65536"));
}

TEST_CASE("pax records are LENGTH KEY=VALUE, whole") {
  const auto path = DecodePaxRecords("12 path=a=b\n");
  REQUIRE(path.ok());
  CHECK(path->path == "a=b");
  CHECK(DecodePaxRecords("").ok());
  CHECK(DecodePaxRecords("7 a= b\n").ok());
  for (const char* text :
       {"11 path=a=b\n", "13 path=a=b\n", "12path=a=b\n", "12 path=a=b", "-12 path=a=b\n", "x",
        "12 path_a_b\n", "0 a=b\n", " 9 path=a\n", "99999999999999999999 path=a\n", "4 =\n"}) {
    CAPTURE(text);
    CHECK(DecodePaxRecords(text).ok() == (std::string(text) == "4 =\n"));
  }
}
