#include "daemon/store.h"

#include <sys/stat.h>

#include <cstdio>

#include <doctest/doctest.h>

#include "tests/unit/temp_folder.h"

namespace slc {
namespace {

Wish FullWish(ServiceId id) {
  Wish wish;
  wish.id = id;
  wish.spec.name = "api";
  wish.spec.directory = "/srv/api";
  wish.spec.script = "server.js";
  wish.spec.arguments = {"--verbose", "a b", "\"quoted\""};
  wish.spec.environment = {{"A", "1"}, {"LANG", "de_DE.UTF-8"}, {"UMLAUT", "h\xc3\xb6her"}};
  wish.spec.caller_environment = {{"PATH", "/usr/bin"}};
  wish.spec.port = 4000;
  wish.spec.readiness = Readiness::kMessage;
  wish.spec.restart = RestartPolicy::kOnFailure;
  wish.spec.listen = {"80", "/run/a.sock"};
  wish.spec.balance = Balance::kSlots;
  wish.spec.log_format = LogFormat::kJson;
  wish.spec.drain_timeout = 12345;
  wish.spec.max_restarts = 5;
  wish.spec.limits = {300U << 20, 20000, 4096, -5, 1500, 1U << 20};
  wish.spec.spare = true;
  wish.spec.compile_cache = false;
  wish.spec.restart_at = "CRON_TZ=Europe/Berlin 0 4 * * *";
  wish.spec.watch = true;
  wish.spec.watch_only = {"*.js"};
  wish.spec.watch_restart = true;
  wish.spec.run_as = "nobody:nogroup";
  wish.size = 4;
  wish.run = true;
  wish.generation = 7;
  wish.mode = RollMode::kRolling;
  wish.parallel = 2;
  wish.order = 19;
  wish.last_request = "0123456789abcdef";
  return wish;
}

Wish WithoutDamage(Wish wish) {
  wish.damage.reset();
  return wish;
}

// Everything that matters, in one text.
std::string Same(const Wish& wish) { return Store::Encode(wish); }

}  // namespace

TEST_CASE("A wish comes back as it was saved") {
  for (const bool full : {true, false}) {
    Wish wish = full ? FullWish(3) : Wish{};
    if (!full) wish.spec.name = "x";
    auto decoded = Store::Decode(Store::Encode(wish));
    REQUIRE(decoded);
    CHECK(decoded->spec == wish.spec);
    CHECK(Same(*decoded) == Same(wish));
  }
}

TEST_CASE("A state file that is damaged in any one byte is refused, or means the same") {
  const Wish wish = FullWish(3);
  const std::string good = Store::Encode(wish);
  int accepted = 0;
  for (std::size_t at = 0; at < good.size(); ++at) {
    for (const int flip : {0x01, 0x02, 0x10, 0x20, 0x80, 0xff}) {
      std::string bad = good;
      bad[at] = static_cast<char>(bad[at] ^ flip);
      const auto decoded = Store::Decode(bad);
      if (!decoded) continue;
      ++accepted;
      if (Same(*decoded) != good) FAIL("byte " << at << " ^ " << flip << " went through");
    }
  }
  // White space and the name of the checksum itself.
  CHECK(accepted > 0);
  CHECK(accepted < 400);
}

TEST_CASE("A state file that ends early is refused") {
  const std::string good = Store::Encode(FullWish(3));
  for (std::size_t length = 0; length < good.size() - 1; ++length) {
    if (Store::Decode(good.substr(0, length))) FAIL("cut at " << length << " went through");
  }
  CHECK(Store::Decode(good.substr(0, good.size() - 1)).ok());
}

TEST_CASE("A file that a person has edited is read if the checksum was removed") {
  std::string text = Store::Encode(FullWish(3));
  const std::size_t size = text.find("\"size\": \"4\"");
  REQUIRE(size != std::string::npos);
  text[size + 9] = '5';
  CHECK_FALSE(Store::Decode(text));
  const std::size_t from = text.find("\"crc32c\"");
  text.erase(from, text.find(',', from) + 1 - from);
  auto edited = Store::Decode(text);
  REQUIRE(edited);
  CHECK(edited->size == 5);
}

TEST_CASE("What is no wish is refused with its reason") {
  const auto reason = [](const std::string& text) {
    const auto decoded = Store::Decode(text);
    return decoded ? std::string("accepted") : decoded.error().message;
  };
  CHECK(reason("") == "this is not JSON");
  CHECK(reason("[]").find("expected an object") != std::string::npos);
  CHECK(reason("{}").find("schema") != std::string::npos);
  CHECK(reason(R"({"schema":1})").find("wish") != std::string::npos);
  CHECK(reason(R"({"schema":2,"wish":{}})").find("schema 2") != std::string::npos);
  CHECK(reason(R"({"schema":1,"wish":{"id":1,"spec":{"name":"../x"}}})").find("is no name") !=
        std::string::npos);
  CHECK(reason(R"({"schema":1,"wish":{"id":-1,"spec":{"name":"x"}}})").find("wish.id") !=
        std::string::npos);
  CHECK(reason(R"({"schema":1,"wish":{"id":1,"spec":{"name":"x","port":65536}}})")
            .find("spec.port") != std::string::npos);
  CHECK(reason(R"({"schema":1,"wish":{"id":1,"spec":{"name":"x"},"size":"1025"}})").find("size") !=
        std::string::npos);
}

TEST_CASE("Store: what a newer version wrote is left to that one, and its service alone refused") {
  TempFolder folder;
  Store store(folder.fd());
  REQUIRE(store.Save(FullWish(1)));
  REQUIRE(store.Save(FullWish(1)));
  REQUIRE(store.Save(FullWish(2)));
  const std::string newer = R"({"schema": 2, "wish": {"id": 1, "spec": {"name": "later"}}})";
  folder.Write("1.json", newer);
  for (int start = 0; start < 2; ++start) {
    auto loaded = store.Load();
    REQUIRE(loaded);
    REQUIRE(loaded->wishes.size() == 1);
    CHECK(loaded->wishes[0].id == 2);
    REQUIRE(loaded->quarantined.size() == 1);
    CHECK(loaded->quarantined[0].file == "1.json");
    CHECK(loaded->quarantined[0].name == "later");
    CHECK(loaded->quarantined[0].reason.find("schema 2") != std::string::npos);
    CHECK(folder.Read("1.json") == newer);
  }
}

TEST_CASE("Store: saved wishes are loaded, removed ones are not") {
  TempFolder folder;
  Store store(folder.fd());
  REQUIRE(store.Save(FullWish(1)));
  REQUIRE(store.Save(FullWish(12)));
  Wish changed = FullWish(12);
  changed.size = 9;
  REQUIRE(store.Save(changed));
  folder.Write("x.json", "ignored");
  folder.Write("0.json", "ignored");
  folder.Write("1.json.tmp", "ignored");
  auto loaded = store.Load();
  REQUIRE(loaded);
  REQUIRE(loaded->wishes.size() == 2);
  CHECK(loaded->notes.empty());
  CHECK(loaded->quarantined.empty());
  CHECK(Same(loaded->wishes[0]) == Same(FullWish(1)));
  CHECK(Same(loaded->wishes[1]) == Same(changed));
  CHECK(loaded->last_id == 12);
  struct stat info {};
  REQUIRE(::stat((folder / "12.json").c_str(), &info) == 0);
  CHECK((info.st_mode & 0777) == 0600);
  REQUIRE(store.Remove(1, "a"));
  REQUIRE(store.Remove(1, "a"));
  REQUIRE(store.Load()->wishes.size() == 1);
}

TEST_CASE("Store: the id of a removed service is not used again, whatever is restarted") {
  TempFolder folder;
  Store store(folder.fd());
  REQUIRE(store.Save(FullWish(1)));
  REQUIRE(store.Save(FullWish(2)));
  REQUIRE(store.Remove(2, "b"));
  CHECK(store.Load()->last_id == 2);
  REQUIRE(store.Remove(1, "a"));
  CHECK(store.Load()->last_id == 2);
  CHECK(store.Load()->wishes.empty());
  // A client that lost the answer may ask again.
  CHECK(store.Load()->last_removal == "a");
}

TEST_CASE("Store: of a damaged file the version before is used, and the damaged one set aside") {
  TempFolder folder;
  Store store(folder.fd());
  Wish wish = FullWish(5);
  REQUIRE(store.Save(wish));
  wish.size = 9;
  REQUIRE(store.Save(wish));
  folder.Write("5.json", folder.Read("5.json").substr(0, 100));
  auto loaded = store.Load();
  REQUIRE(loaded);
  REQUIRE(loaded->wishes.size() == 1);
  REQUIRE(loaded->wishes[0].damage);
  const RecordDamage damage = *loaded->wishes[0].damage;
  CHECK(damage.reason == "this is not JSON");
  CHECK(Same(WithoutDamage(loaded->wishes[0])) == Same(FullWish(5)));
  REQUIRE(loaded->notes.size() == 1);
  CHECK(loaded->notes[0].find("5.json is damaged") != std::string::npos);
  CHECK(loaded->notes[0].find(Store::DamagedFile(5)) != std::string::npos);
  CHECK(loaded->quarantined.empty());
  CHECK(store.HasDamagedFile(5));
  CHECK_FALSE(folder.Has("5.json.bad"));
  CHECK(loaded->fallen_back == std::vector<ServiceId>{5});
  // It is told until it was seen to, whatever else is changed and whoever touches the files.
  Wish resized = loaded->wishes[0];
  resized.size = 2;
  REQUIRE(store.Save(resized));
  REQUIRE(::chmod((folder / Store::DamagedFile(5)).c_str(), 0644) == 0);
  auto again = store.Load();
  REQUIRE(again->wishes.size() == 1);
  CHECK(again->notes.empty());
  CHECK(again->quarantined.empty());
  CHECK(again->fallen_back.empty());
  CHECK(again->wishes[0].damage == damage);
  REQUIRE(store.Save(WithoutDamage(resized)));
  CHECK_FALSE(store.Load()->wishes[0].damage);
  CHECK(store.HasDamagedFile(5));
  REQUIRE(store.Remove(5, "request"));
  CHECK_FALSE(store.HasDamagedFile(5));
}

TEST_CASE("Store: what is set aside beside a sound file was mended, and hinders nothing") {
  TempFolder folder;
  Store store(folder.fd());
  REQUIRE(store.Save(FullWish(5)));
  // As it was left by a version that took it away only with its service; and one that nobody reads.
  for (const bool readable : {true, false}) {
    if (readable) {
      folder.Write("5.json.bad", "{");
    } else {
      REQUIRE(::mkdir((folder / "5.json.bad").c_str(), 0700) == 0);
    }
    const auto loaded = store.Load();
    REQUIRE(loaded);
    REQUIRE(loaded->wishes.size() == 1);
    CHECK_FALSE(loaded->wishes[0].damage);
    CHECK(loaded->fallen_back.empty());
    CHECK(loaded->notes.empty());
    REQUIRE(store.Save(FullWish(5)));
    CHECK(store.HasDamagedFile(5));
    REQUIRE(std::remove((folder / Store::DamagedFile(5)).c_str()) == 0);
  }
}

TEST_CASE("Store: a file without a readable version before is quarantined, the others load") {
  TempFolder folder;
  Store store(folder.fd());
  REQUIRE(store.Save(FullWish(1)));
  folder.Write("2.json", "{");
  folder.Write("3.json", Store::Encode(FullWish(4)));
  for (int start = 0; start < 2; ++start) {
    auto loaded = store.Load();
    REQUIRE(loaded);
    CAPTURE(start);
    CHECK(loaded->wishes.size() == 1);
    // It is told again at each start, until a person has seen to it.
    REQUIRE(loaded->quarantined.size() == 2);
    CHECK(loaded->quarantined[0].id == 2);
    CHECK(loaded->quarantined[0].file == "2.json.bad");
    CHECK(loaded->quarantined[0].reason == "this is not JSON");
    CHECK(loaded->quarantined[1].reason == "it names another service");
    CHECK(loaded->last_id == 3);
  }
}

TEST_CASE("Store: a damaged file still says which app it was, if it says so once") {
  const auto load = [](const std::string& text) {
    TempFolder folder;
    folder.Write("2.json", text);
    auto loaded = Store(folder.fd()).Load();
    REQUIRE(loaded);
    REQUIRE(loaded->quarantined.size() == 1);
    return loaded->quarantined[0];
  };
  Wish wish = FullWish(2);
  wish.spec.name = "api";
  wish.spec.directory = "/srv/api";
  wish.spec.script = "server.js";
  const std::string whole = Store::Encode(wish);
  // A comma that somebody forgot, and a byte that has tipped over.
  std::string edited = whole;
  edited.erase(edited.rfind(','), 1);
  std::string tipped = whole;
  tipped[tipped.find("\"soft_stop\"") + 2] = 'x';
  for (const std::string& text : {edited, tipped}) {
    const Quarantined bad = load(text);
    CHECK(bad.name == "api");
    CHECK(bad.directory == "/srv/api");
    CHECK(bad.command == std::vector<std::string>{"server.js"});
  }
  CHECK(load(edited + "\"name\": \"other\"").name.empty());
  CHECK(load("{\"name\": \"../etc\"").name.empty());
  CHECK(load("{\"name\": \"api").name.empty());
  // A sound file of another service is nobody's.
  CHECK(load(Store::Encode(FullWish(4))).name.empty());
}

TEST_CASE("Store: a quarantined service is removed, its id and its damaged file are not") {
  TempFolder folder;
  Store store(folder.fd());
  folder.Write("3.json", "{");
  folder.Write("3.json.prev", "{");
  REQUIRE(store.Load());
  REQUIRE(store.RemoveQuarantined(3, "request-1"));
  CHECK(folder.Read(Store::RemovedFile(3)) == "{");
  auto loaded = store.Load();
  REQUIRE(loaded);
  CHECK(loaded->quarantined.empty());
  CHECK(loaded->wishes.empty());
  CHECK(loaded->last_id == 3);
  CHECK(loaded->last_removal == "request-1");
  // A repeat finds nothing to do.
  CHECK(store.RemoveQuarantined(3, "request-1"));
  CHECK(folder.Read(Store::RemovedFile(3)) == "{");
}

TEST_CASE("Store: a file that the system cannot read now is an error, and is left as it is") {
  TempFolder folder;
  Store store(folder.fd());
  REQUIRE(store.Save(FullWish(1)));
  // Opening it succeeds, reading it does not.
  REQUIRE(::mkdir((folder / "2.json").c_str(), 0700) == 0);
  const auto loaded = store.Load();
  REQUIRE_FALSE(loaded);
  CHECK(loaded.error().message.find("services/2.json cannot be read") != std::string::npos);
  CHECK_FALSE(folder.Has("2.json.bad"));
  REQUIRE(::rmdir((folder / "2.json").c_str()) == 0);
  CHECK(store.Load()->wishes.size() == 1);
}

TEST_CASE(
    "Store: slcd killed between setting a damaged file aside and saving the one before loses "
    "nothing") {
  TempFolder folder;
  Store store(folder.fd());
  folder.Write("5.json.bad", "{");
  folder.Write("5.json.prev", Store::Encode(FullWish(5)));
  auto loaded = store.Load();
  REQUIRE(loaded->wishes.size() == 1);
  CHECK(loaded->fallen_back.size() == 1);
  CHECK(Same(WithoutDamage(loaded->wishes[0])) == Same(FullWish(5)));
  CHECK(folder.Has("5.json"));
  // But what a person has deleted does not come back.
  TempFolder other;
  other.Write("5.json.prev", Store::Encode(FullWish(5)));
  CHECK(Store(other.fd()).Load()->wishes.empty());
}

TEST_CASE("Store: a wish that cannot be written is an error of storage, and the old one stays") {
  TempFolder folder;
  Store store(folder.fd());
  // Renaming onto a folder fails as late as a save can fail.
  REQUIRE(::mkdir((folder / "6.json").c_str(), 0700) == 0);
  const Status saved = store.Save(FullWish(6));
  REQUIRE_FALSE(saved.ok());
  CHECK(saved.error().code == ErrorCode::kStorage);
  CHECK(saved.error().message.find("services/6.json") != std::string::npos);
  CHECK_FALSE(folder.Has("6.json.tmp"));
}

TEST_CASE("Store: a wish in the reserve counts as long as its file holds an older one") {
  TempFolder folder;
  Store store(folder.fd());
  Wish wish = FullWish(3);
  REQUIRE(store.Save(wish));
  CHECK_FALSE(store.SaveInReserve(wish));
  REQUIRE(store.KeepReserve());
  Wish stopped = wish;
  stopped.run = false;
  ++stopped.order;
  REQUIRE(store.SaveInReserve(stopped));
  Wish unknown = FullWish(4);
  REQUIRE(store.SaveInReserve(unknown));
  {
    Store next(folder.fd());
    auto loaded = next.Load();
    REQUIRE(loaded);
    REQUIRE(loaded->wishes.size() == 1);
    CHECK(Same(loaded->wishes[0]) == Same(stopped));
    CHECK(loaded->reserved == std::vector<ServiceId>{3});
  }
  Wish started = stopped;
  started.run = true;
  ++started.order;
  REQUIRE(store.Save(started));
  Store next(folder.fd());
  auto loaded = next.Load();
  CHECK(Same(loaded->wishes[0]) == Same(started));
  CHECK(loaded->reserved.empty());
}

TEST_CASE(
    "Store: a stop in the reserve ends what was known of a damage, but none that is found now") {
  TempFolder folder;
  Store store(folder.fd());
  Wish fallen = FullWish(3);
  fallen.damage = RecordDamage{"this is not JSON", 7};
  REQUIRE(store.Save(fallen));
  REQUIRE(store.Save(fallen));
  REQUIRE(store.KeepReserve());
  Wish stopped = WithoutDamage(fallen);
  stopped.run = false;
  ++stopped.order;
  REQUIRE(store.SaveInReserve(stopped));
  CHECK(Same(Store(folder.fd()).Load()->wishes.at(0)) == Same(stopped));
  folder.Write("3.json", "{");
  const Wish found = Store(folder.fd()).Load()->wishes.at(0);
  CHECK_FALSE(found.run);
  REQUIRE(found.damage);
  CHECK(found.damage->found_at > 7);
}

TEST_CASE("Store: what a refused change may have left is taken back") {
  TempFolder folder;
  Store store(folder.fd());
  REQUIRE(store.Save(FullWish(3)));
  REQUIRE(store.Save(FullWish(3)));
  REQUIRE(store.Discard(3));
  REQUIRE(store.Discard(3));
  CHECK(store.Load()->wishes.empty());
  REQUIRE(store.Try());
  CHECK(ListDirectory(folder.fd())->empty());
}

}  // namespace slc
