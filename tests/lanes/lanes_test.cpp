// Compares the lane operations of one ISA with definitions in plain C++ that share no code with
// them. The file is compiled once for each ISA, as kernels are.
#include "conversions.hpp"
#include "floats.hpp"
#include "integers.hpp"
#include "masks.hpp"
#include "memory.hpp"
#include "packed.hpp"
#include "permutations.hpp"

namespace secateur::SECATEUR_TARGET {
namespace {

void test_Add() {
  test_int_Add();
  test_float_Add();
}
void test_Sub() {
  test_int_Sub();
  test_float_Sub();
}
void test_Mul() {
  test_int_Mul();
  test_float_Mul();
}
void test_Min() {
  test_int_Min();
  test_float_Min();
}
void test_Max() {
  test_int_Max();
  test_float_Max();
}
void test_And() {
  test_int_And();
  test_mask_And();
}
void test_Or() {
  test_int_Or();
  test_mask_Or();
}

// The program (main.cpp) compares these names with those in the files of csrc/lanes.
#define SECATEUR_TEST(operation)      \
  LaneTest {                          \
    #operation, [] {                  \
      current_operation = #operation; \
      test_##operation();             \
    }                                 \
  }
constexpr LaneTest kTests[] = {
    SECATEUR_TEST(kLanes),
    SECATEUR_TEST(kBlockLanes),
    SECATEUR_TEST(kGroup),
    SECATEUR_TEST(kDemoteInputs),
    SECATEUR_TEST(kWidened),
    SECATEUR_TEST(kCanStream),
    SECATEUR_TEST(Set),
    SECATEUR_TEST(LoadU),
    SECATEUR_TEST(LoadOnce),
    SECATEUR_TEST(StoreU),
    SECATEUR_TEST(Stream),
    SECATEUR_TEST(FlushStream),
    SECATEUR_TEST(CompressStore),
    SECATEUR_TEST(CompressBits),
    SECATEUR_TEST(ExpandBits),
    SECATEUR_TEST(StoreBools),
    SECATEUR_TEST(StreamBools),
    SECATEUR_TEST(LoadBools),
    SECATEUR_TEST(Add),
    SECATEUR_TEST(Sub),
    SECATEUR_TEST(Min),
    SECATEUR_TEST(Max),
    SECATEUR_TEST(And),
    SECATEUR_TEST(Xor),
    SECATEUR_TEST(Or),
    SECATEUR_TEST(Gt),
    SECATEUR_TEST(ReduceMax),
    SECATEUR_TEST(ReduceSum),
    SECATEUR_TEST(ShiftRightLogical),
    SECATEUR_TEST(ShiftLeft),
    SECATEUR_TEST(ShiftRightLogicalSame),
    SECATEUR_TEST(ShiftLeftSame),
    SECATEUR_TEST(Shl),
    SECATEUR_TEST(ShrLogical),
    SECATEUR_TEST(Mul),
    SECATEUR_TEST(MulEvenUnsigned),
    SECATEUR_TEST(MulOddUnsigned),
    SECATEUR_TEST(MulLowHalves),
    SECATEUR_TEST(SwapHalves),
    SECATEUR_TEST(SubBytes),
    SECATEUR_TEST(IncrementIf),
    SECATEUR_TEST(DecrementIf),
    SECATEUR_TEST(Div),
    SECATEUR_TEST(Product),
    SECATEUR_TEST(Sqrt),
    SECATEUR_TEST(Le),
    SECATEUR_TEST(Eq),
    SECATEUR_TEST(IsNumber),
    SECATEUR_TEST(Rint),
    SECATEUR_TEST(BitCast),
    SECATEUR_TEST(RintToInt),
    SECATEUR_TEST(ConvertTo),
    SECATEUR_TEST(PromoteLoad),
    SECATEUR_TEST(ConvertLoad),
    SECATEUR_TEST(WidenLoad),
    SECATEUR_TEST(Widen),
    SECATEUR_TEST(DemoteTo),
    SECATEUR_TEST(LowHalves),
    SECATEUR_TEST(AndNot),
    SECATEUR_TEST(BitsFromMask),
    SECATEUR_TEST(BitsFromMasks),
    SECATEUR_TEST(MaskFromBits),
    SECATEUR_TEST(IfThenElse),
    SECATEUR_TEST(IfThenElseZero),
    SECATEUR_TEST(InterleaveLower),
    SECATEUR_TEST(InterleaveUpper),
    SECATEUR_TEST(InterleaveEvenBlocks),
    SECATEUR_TEST(InterleaveOddBlocks),
    SECATEUR_TEST(PackedField),
    SECATEUR_TEST(LoadPacked),
    SECATEUR_TEST(StorePacked),
    SECATEUR_TEST(ReverseFields),
    SECATEUR_TEST(JoinBytes),
    SECATEUR_TEST(JoinUint16s),
    SECATEUR_TEST(PopCount),
    SECATEUR_TEST(LowestBit),
    SECATEUR_TEST(HighestBit),
};

}  // namespace
}  // namespace secateur::SECATEUR_TARGET

// No code of this file runs before the program has checked that the CPU has the ISA.
extern constinit const LaneTests lane_tests;
constinit const LaneTests lane_tests = {
    secateur::SECATEUR_TARGET::kTests,
    std::size(secateur::SECATEUR_TARGET::kTests),
    [] { return secateur::SECATEUR_TARGET::failures; },
};
