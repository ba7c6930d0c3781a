// Archives of strangers, and that nothing outside of the folder they are unpacked into has changed.
#include "daemon/deploy/unpack/unpacker.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <map>
#include <vector>

#include <doctest/doctest.h>

#include "common/base/beneath.h"
#include "tests/unit/tar_maker.h"
#include "tests/unit/temp_folder.h"

using namespace slc;
using namespace slc::unpack;

namespace {

// All below `folder` by path: type, mode, and content or target.
using Tree = std::map<std::string, std::string>;

void Look(const std::string& folder, const std::string& prefix, const std::string& leave_out,
          Tree& tree) {
  const UniqueFd fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  const auto names = ListDirectory(fd.get());
  REQUIRE(names.ok());
  for (const std::string& name : *names) {
    const std::string path = folder + "/" + name;
    if (path == leave_out) continue;
    struct stat info {};
    REQUIRE(::lstat(path.c_str(), &info) == 0);
    char mode[16];
    std::snprintf(mode, sizeof(mode), "%06o ", info.st_mode);
    std::string& line = tree[prefix + name] = mode;
    if (S_ISREG(info.st_mode)) line += *ReadFile(path);
    if (S_ISLNK(info.st_mode)) {
      std::string target(4096, '\0');
      target.resize(static_cast<std::size_t>(::readlink(path.c_str(), target.data(), 4096)));
      line += target;
    }
    if (S_ISDIR(info.st_mode)) Look(path, prefix + name + "/", leave_out, tree);
  }
}

// A folder to unpack into, in a folder with things that must stay as they are.
class Box {
 public:
  Box() : old_mask_(::umask(022)) {
    temp_.Write("in/x", "");
    REQUIRE(::unlink((temp_ / "in/x").c_str()) == 0);
    temp_.Write("secret", "outside", 0600);
    temp_.Write("other/file", "outside");
    before_ = Outside();
  }
  ~Box() { ::umask(old_mask_); }

  Result<Unpacked> Unpack(std::string_view archive, const Limits& limits = {},
                          std::size_t piece = 4096) {
    const UniqueFd in(::open((temp_ / "in").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    Unpacker unpacker(in.get(), limits);
    if (Status begun = unpacker.Begin(); !begun) return begun.error();
    for (std::size_t at = 0; at < archive.size(); at += piece) {
      if (Status added = unpacker.Add(archive.substr(at, piece)); !added) return added.error();
    }
    return unpacker.Finish();
  }
  Tree Inside() const {
    Tree tree;
    Look(temp_ / "in", "", "", tree);
    return tree;
  }
  // What must hold whatever the archive was.
  void CheckSafe() const {
    CHECK(Outside() == before_);
    const UniqueFd in(::open((temp_ / "in").c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    for (const auto& each : Inside()) {
      const std::string& path = each.first;
      CAPTURE(path);
      const std::string type = each.second.substr(0, 6);
      CHECK_MESSAGE((type == "100644" || type == "100755" || type == "040755" || type == "120777"),
                    type);
      if (type != "120777") continue;
      // Wherever it leads, by way of others too, is within.
      struct {
        std::uint64_t flags = O_PATH | O_CLOEXEC, mode = 0, resolve = 0x08;  // RESOLVE_BENEATH
      } how;
      const UniqueFd target(
          static_cast<int>(::syscall(437, in.get(), path.c_str(), &how, sizeof(how))));
      CHECK_MESSAGE((target || errno == ENOENT || errno == ELOOP || errno == ENOTDIR), errno);
    }
  }
  const TempFolder& temp() const { return temp_; }

 private:
  Tree Outside() const {
    Tree tree;
    Look(temp_.path(), "", temp_ / "in", tree);
    return tree;
  }

  mode_t old_mask_;
  TempFolder temp_;
  Tree before_;
};

void CheckRefused(const std::string& archive, const std::string& reason,
                  const Limits& limits = {}) {
  Box box;
  const auto unpacked = box.Unpack(archive, limits);
  box.CheckSafe();
  REQUIRE_FALSE(unpacked.ok());
  CHECK(unpacked.error().code == ErrorCode::kInvalid);
  const bool as_expected = unpacked.error().message.find(reason) != std::string::npos;
  CHECK_MESSAGE(as_expected, unpacked.error().message);
}

}  // namespace

TEST_CASE("an archive becomes a folder, without its top folder") {
  TarMaker archive;
  archive.Folder("package").File("package/package.json", "{}").File("package/bin/run", "#!", 06755);
  archive.File("package/lib/deep/er/a.js", "a", 0666).Folder("package/lib/deep/");
  archive.Link('2', "package/node_modules/.bin/run", "../../bin/run");
  archive.Link('1', "package/copy", "package/bin/run").End();
  const Tree expected{
      {"package.json", "100644 {}"},
      {"bin", "040755 "},
      {"bin/run", "100755 #!"},
      {"lib", "040755 "},
      {"lib/deep", "040755 "},
      {"lib/deep/er", "040755 "},
      {"lib/deep/er/a.js", "100644 a"},
      {"node_modules", "040755 "},
      {"node_modules/.bin", "040755 "},
      {"node_modules/.bin/run", "120777 ../../bin/run"},
      {"copy", "100755 #!"},
  };
  for (const bool compressed : {false, true}) {
    for (const std::size_t piece : {1U, 100U, 65536U}) {
      Box box;
      const std::string bytes = compressed ? Gzip(archive.bytes()) : archive.bytes();
      const auto unpacked = box.Unpack(bytes, {}, piece);
      REQUIRE_MESSAGE(unpacked.ok(), unpacked.error().message);
      CHECK(box.Inside() == expected);
      box.CheckSafe();
      CHECK(unpacked->top == "package");
      CHECK(unpacked->entries == expected.size());
      CHECK(unpacked->bytes == 7);
      CHECK(unpacked->read == bytes.size());
      CHECK(unpacked->sha256.size() == 64);
      CHECK(unpacked->sha1.size() == 40);
    }
  }
}

TEST_CASE("hashes are those of the bytes that were read") {
  Box box;
  TarMaker archive;
  archive.Folder("./").File("./a", "abc").End();
  const auto unpacked = box.Unpack(archive.bytes());
  REQUIRE(unpacked.ok());
  CHECK(unpacked->top == ".");
  box.temp().Write("archive", archive.bytes());
  const std::string command =
      "cd " + box.temp().path() + " && sha256sum archive && sha1sum archive";
  FILE* sums = ::popen(command.c_str(), "r");
  REQUIRE(sums != nullptr);
  std::array<char, 256> told{};
  told[std::fread(told.data(), 1, told.size() - 1, sums)] = '\0';
  ::pclose(sums);
  CHECK(std::string(told.data()) ==
        unpacked->sha256 + "  archive\n" + unpacked->sha1 + "  archive\n");
}

TEST_CASE("no name leads out of the folder") {
  const auto refused = [](TarMaker archive, const std::string& reason) {
    CheckRefused(Gzip(archive.End().bytes()), reason);
  };
  const std::string out = "package/../../secret";
  refused(TarMaker().File(out, "x"), "leads out");
  refused(TarMaker().File("../secret", "x"), "leads out");
  refused(TarMaker().Folder("package/.."), "leads out");
  refused(TarMaker().File("/tmp/secret", "x"), "absolute");
  refused(TarMaker().Extra('x', TarMaker::Record("path", out)).File("package/a", "x"), "leads out");
  refused(TarMaker().Extra('x', TarMaker::Record("path", "/secret")).File("package/a", "x"),
          "absolute");
  refused(TarMaker().Extra('L', out + '\0').File("package/a", "x"), "leads out");
  refused(TarMaker().Add({'0', "../secret", "", 0, 0644, "package/.."}), "leads out");
  refused(TarMaker().Extra('x', TarMaker::Record("path", std::string(5000, 'n'))).File("a"),
          "4095 bytes");
  refused(TarMaker().Extra('L', std::string(5000, 'n') + '\0').File("a"), "4095 bytes");
  std::string deep = "package";
  for (int i = 0; i < 65; ++i) deep += "/d";
  refused(TarMaker().Extra('x', TarMaker::Record("path", deep)).File("a"), "64 folders deep");
}

TEST_CASE("nothing is written through a link, whenever the link comes") {
  const auto refused = [](TarMaker archive, const std::string& reason) {
    CheckRefused(archive.End().bytes(), reason);
  };
  refused(TarMaker().Link('2', "package/l", "..").File("package/l/secret", "x"), "outside");
  refused(TarMaker().Link('2', "package/l", "/tmp").File("package/l/x", "x"), "absolute");
  // Within, but written through all the same.
  refused(TarMaker().Folder("package/d").Link('2', "package/l", "d").File("package/l/x", "x"),
          "more than once");
  refused(TarMaker().Link('2', "package/l", "secret").File("package/l", "x"), "more than once");
  refused(TarMaker().File("package/l", "x").Link('2', "package/l", "secret"), "more than once");
  refused(TarMaker().Link('2', "package/l", ".").Link('2', "package/l/m", "x"),
          "in what is no folder");
  refused(TarMaker().Link('2', "package/l/m", "x").Link('2', "package/l", "."), "more than once");
  // By way of another link, out of the folder.
  refused(
      TarMaker().Link('2', "package/a/b/up", "../..").Link('2', "package/out", "a/b/up/../secret"),
      "behind a name");
}

TEST_CASE("hard links are copies of files that stand before them") {
  const auto refused = [](TarMaker archive, const std::string& reason) {
    CheckRefused(archive.End().bytes(), reason);
  };
  refused(TarMaker().Link('1', "package/l", "/etc/passwd"), "absolute");
  refused(TarMaker().Link('1', "package/l", "../secret"), "leads out");
  refused(TarMaker().Folder("package").Link('1', "package/l", "secret"),
          "outside of the archive's");
  refused(TarMaker().Link('1', "package/l", "package/later").File("package/later"), "before it");
  refused(TarMaker().Folder("package/d").Link('1', "package/l", "package/d"), "before it");
  refused(TarMaker().Link('2', "package/s", "secret").Link('1', "package/l", "package/s"),
          "before it");
  refused(TarMaker().Link('1', "package/l", "package/l"), "before it");
  refused(TarMaker().File("package/a").File("package/b").Link('1', "package/a", "package/b"),
          "more than once");
  // They count for the size.
  TarMaker archive;
  archive.File("package/a", std::string(600, 'a')).Link('1', "package/b", "package/a").End();
  Limits limits;
  limits.bytes = 1000;
  CheckRefused(archive.bytes(), "unpacks to more than", limits);
}

TEST_CASE("two members of one name, and files where folders are, are refused") {
  const auto refused = [](TarMaker archive, const std::string& reason) {
    CheckRefused(archive.End().bytes(), reason);
  };
  refused(TarMaker().File("package/a", "1").File("package/a", "2"), "more than once");
  refused(TarMaker().File("package/a", "1").File("package//./a", "2"), "more than once");
  refused(TarMaker().File("package/a").Folder("package/a"), "in what is no folder");
  refused(TarMaker().Folder("package/a").File("package/a"), "more than once");
  refused(TarMaker().File("package/a").File("package/a/b"), "in what is no folder");
  refused(TarMaker().File("package/a").File("other/b"), "outside of the archive's top folder");
  refused(TarMaker().File("package.json"), "lies in no folder");
  refused(TarMaker().Add({'5', "package"}).Add({'2', "package", "x"}), "lies in no folder");
  // Another case is another name.
  Box box;
  CHECK(box.Unpack(TarMaker().File("package/a").File("package/A").End().bytes()).ok());
}

TEST_CASE("devices, fifos and what else is no file are not made") {
  for (const char type : {'3', '4', '6', 'S', 'V', 'M', 'D', 's'}) {
    CheckRefused(TarMaker().File("package/a").Add({type, "package/it"}).End().bytes(),
                 "which is not unpacked");
  }
}

TEST_CASE("an archive may not ask for more than its limits") {
  Limits limits;
  limits.entries = 10;
  limits.bytes = 1000;
  const auto numbered = [](int count) {
    TarMaker archive;
    for (int i = 0; i < count; ++i) archive.File("package/" + std::to_string(i));
    return archive.End().bytes();
  };
  CHECK(Box().Unpack(numbered(10), limits).ok());
  CheckRefused(numbered(11), "more than 10 entries", limits);
  // Folders that only stand in names are made, too, so they count.
  CheckRefused(TarMaker().File("package/1/2/3/4/5/6/7/8/9/10/11").End().bytes(),
               "more than 10 entries", limits);
  TarMaker links;
  for (int i = 0; i < 11; ++i) links.Link('2', "package/" + std::to_string(i), "x");
  CheckRefused(links.End().bytes(), "more than 10 entries", limits);
  CHECK(Box()
            .Unpack(TarMaker().File("package/a", std::string(1000, 'a')).End().bytes(), limits)
            .ok());
  CheckRefused(TarMaker().File("package/a", std::string(1001, 'a')).End().bytes(),
               "unpacks to more than", limits);
  // Told before the content comes.
  TarMaker::Header huge{'0', "package/huge"};
  huge.raw_size = std::string("\x80\0\0\0\0\x7f\xff\xff\xff\xff\xff\xff", 12);
  CheckRefused(TarMaker().Add(huge).bytes(), "unpacks to more than");
  // A bomb of names of links, which wait in memory.
  TarMaker names;
  for (int i = 0; i < 5000; ++i) {
    names.Extra('K', std::string(3900, 't') + '\0');
    names.Link('2', "package/" + std::to_string(i), "cut");
  }
  CheckRefused(names.End().bytes(), "symbolic links take more than");
}

TEST_CASE("a million empty members end early") {
  std::string archive;
  for (int i = 0; i < 1000; ++i) {
    archive += TarMaker().File("package/" + std::to_string(i)).bytes();
  }
  Limits limits;
  limits.entries = 1000;
  Box box;
  const UniqueFd in(::open((box.temp() / "in").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  Unpacker unpacker(in.get(), limits);
  CHECK(unpacker.Add(archive).ok());
  CHECK_FALSE(unpacker.Add(TarMaker().File("package/one").bytes()).ok());
  // Members that make nothing do not go on for ever either: the top folder, again and again.
  std::string again;
  for (int i = 0; i < 2000; ++i) again += TarMaker().Folder("package").bytes();
  Box other;
  const UniqueFd into(::open((other.temp() / "in").c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  limits.bytes = 1000;
  Unpacker folders(into.get(), limits);
  Status added = Ok();
  int rounds = 0;
  while (added && rounds < 100) {
    added = folders.Add(again);
    ++rounds;
  }
  REQUIRE_FALSE(added.ok());
  CHECK(added.error().message.find("most of it no content") != std::string::npos);
}

TEST_CASE("bombs of gzip end early") {
  TarMaker archive;
  archive.File("package/zeros", std::string(std::size_t{40} << 20, '\0')).End();
  const std::string bomb = Gzip(archive.bytes(), 9);
  CheckRefused(bomb, "grows to more than 200 times");
  Limits limits;
  limits.ratio = 2000;
  CHECK(Box().Unpack(bomb, limits).ok());
  // Behind the archive's end as well.
  CheckRefused(
      Gzip(TarMaker().File("package/a").End().bytes() + std::string(std::size_t{40} << 20, '\0'),
           9),
      "grows to more than 200 times");
}

TEST_CASE("a gzip stream is whole, and nothing follows it") {
  const std::string plain = TarMaker().File("package/a", "content").End().bytes();
  const std::string packed = Gzip(plain);
  for (std::size_t size = 0; size < packed.size(); ++size) {
    CAPTURE(size);
    CHECK_FALSE(Box().Unpack(packed.substr(0, size)).ok());
  }
  CheckRefused(packed.substr(0, packed.size() - 1), "gzip stream is cut off");
  CheckRefused(packed + "x", "something follows the end of the gzip stream");
  CheckRefused(packed + std::string(512, '\0'), "something follows the end of the gzip stream");
  CheckRefused(packed + packed, "something follows the end of the archive");
  std::string damaged = packed;
  damaged[damaged.size() - 5] ^= 1;  // its checksum
  CheckRefused(damaged, "gzip stream is damaged");
  CheckRefused("", "nothing was read");
  CheckRefused(Gzip(""), "cut off");
  CheckRefused(std::string(1024, '\0'), "holds nothing");
  CheckRefused(TarMaker().Folder("package").End().bytes(), "holds nothing");
  CheckRefused(
      "this is a text, and long enough to fill the block of an archive" + std::string(600, '.'),
      "no tar archive");
  // Several streams are one, empty ones among them, in whatever pieces.
  const std::string parts =
      Gzip(plain.substr(0, 700)) + Gzip("") + Gzip("") + Gzip(plain.substr(700));
  for (const std::size_t piece : {1U, 19U, 4096U}) {
    Box box;
    CHECK(box.Unpack(parts, {}, piece).ok());
    CHECK(box.Inside()["a"] == "100644 content");
  }
}

TEST_CASE("a plain archive that is cut off at any block is refused") {
  TarMaker archive;
  archive.File("package/a", std::string(700, 'a')).Link('2', "package/l", "a").Folder("package/d");
  const std::string whole = archive.End().bytes();
  for (std::size_t size = 0; size < whole.size(); size += 512) {
    Box box;
    CAPTURE(size);
    CHECK_FALSE(box.Unpack(whole.substr(0, size)).ok());
    box.CheckSafe();
  }
  Box box;
  CHECK(box.Unpack(whole).ok());
  CheckRefused(whole + "garbage", "something follows the end");
}

TEST_CASE("what is not empty is not unpacked into") {
  Box box;
  box.temp().Write("in/there", "before");
  const auto unpacked = box.Unpack(TarMaker().File("package/a").End().bytes());
  CHECK_FALSE(unpacked.ok());
  CHECK(box.Inside().size() == 1);
}

TEST_CASE("a disk that takes nothing is no fault of the archive") {
  Box box;
  const UniqueFd in(::open("/proc/self/fdinfo", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  Unpacker unpacker(in.get(), {});
  const Status added = unpacker.Add(TarMaker().File("package/a", "a").End().bytes());
  REQUIRE_FALSE(added.ok());
  CHECK(added.error().code == ErrorCode::kStorage);
}

TEST_CASE("what came of an archive is told in a line, and read back") {
  Unpacked unpacked;
  unpacked.sha256 = std::string(64, 'a');
  unpacked.sha1 = std::string(40, 'b');
  unpacked.read = 1;
  unpacked.bytes = 2;
  unpacked.entries = 3;
  unpacked.top = "pack\xff";
  std::string line = EncodeUnpacked(unpacked);
  CHECK(std::count(line.begin(), line.end(), '\n') == 1);
  auto read = DecodeUnpacked(line);
  REQUIRE(read.ok());
  unpacked.top = "pack\xef\xbf\xbd";
  CHECK(*read == unpacked);
  read = DecodeUnpacked(EncodeUnpacked(Error{ErrorCode::kStorage, "the disk\nis full"}));
  REQUIRE_FALSE(read.ok());
  CHECK(read.error().code == ErrorCode::kStorage);
  CHECK(read.error().message == "the disk\nis full");
  unpacked.sha1 = "../../../" + std::string(31, 'b');
  CHECK_FALSE(DecodeUnpacked(EncodeUnpacked(unpacked)).ok());
  for (const char* nothing : {"", "{}", "[]", "{\"sha256\":1}", "{\"error\":1}", "text"}) {
    read = DecodeUnpacked(nothing);
    REQUIRE_FALSE(read.ok());
    CHECK(read.error().code == ErrorCode::kProtocol);
  }
}
