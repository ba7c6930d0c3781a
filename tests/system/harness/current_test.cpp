#include "tests/system/harness/current_test.h"

#include <doctest/doctest.h>

#include "tests/system/harness/basics.h"

namespace slc::test {
namespace {

struct CurrentTest : doctest::IReporter {
  static std::string name;
  static bool failed;

  explicit CurrentTest(const doctest::ContextOptions&) {}
  void test_case_start(const doctest::TestCaseData& data) override {
    name = data.m_name;
    failed = false;
  }
  void log_assert(const doctest::AssertData& data) override { failed = failed || data.m_failed; }
  void log_message(const doctest::MessageData& data) override {
    failed = failed || (data.m_severity & doctest::assertType::is_warn) == 0;
  }
  void test_case_exception(const doctest::TestCaseException&) override { failed = true; }
  void test_case_reenter(const doctest::TestCaseData&) override {}
  void test_case_end(const doctest::CurrentTestCaseStats&) override {}
  void report_query(const doctest::QueryData&) override {}
  void test_run_start() override {}
  void test_run_end(const doctest::TestRunStats&) override {}
  void subcase_start(const doctest::SubcaseSignature&) override {}
  void subcase_end() override {}
  void test_case_skipped(const doctest::TestCaseData&) override {}
};
std::string CurrentTest::name;
bool CurrentTest::failed = false;
REGISTER_LISTENER("current_test", 1, CurrentTest);

}  // namespace

const std::string& CurrentTestName() { return CurrentTest::name; }
bool CurrentTestHasFailed() { return CurrentTest::failed; }
void MarkCurrentTestAsFailed() { CurrentTest::failed = true; }

bool Possible(bool possible, const std::string& why) {
  if (possible) return true;
  if (Variable("SLC_NO_SKIP") == "1") FAIL_CHECK("skipped: ", why);
  MESSAGE("skipped: ", why);
  return false;
}

}  // namespace slc::test
