#include "daemon/master_search.h"

#include "tests/unit/temp_folder.h"

namespace slc {

TEST_CASE("A master that holds its lock lives, though nobody listens at its socket") {
  TempFolder folder;
  CHECK(ContactMaster(folder.fd()).nobody);
  {
    const auto lock = LockFileAt(folder.fd(), "master.lock", "");
    REQUIRE(lock);
    const MasterContact contact = ContactMaster(folder.fd());
    CHECK_FALSE(contact.nobody);
    CHECK_FALSE(contact.socket);
    CHECK(contact.trouble == "it lives, but its socket is not there");
  }
  CHECK(ContactMaster(folder.fd()).nobody);
}

TEST_CASE("Where it cannot be told whether the lock is held, nobody says that no master lives") {
  TempFolder folder;
  REQUIRE(::symlinkat("elsewhere", folder.fd(), "master.lock") == 0);
  const MasterContact contact = ContactMaster(folder.fd());
  CHECK_FALSE(contact.nobody);
  CHECK_FALSE(contact.trouble.empty());
}

}  // namespace slc
