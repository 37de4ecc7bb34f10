//! Any order, grouping and repetition gives the same request.

use super::*;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

/// Proves that a request does not depend on the order of its parts, on how they were grouped in exports, on
/// parts that are sent twice, or on the names of instrumentation scopes.
#[test]
fn any_order_and_grouping_gives_the_same_request() {
    for (dialect, scenario) in scenarios() {
        let payloads = payloads(&dialect, &scenario);
        let order = items(&payloads);
        let expected = closed(&payloads, &order);
        let reversed: Vec<_> = order.iter().rev().copied().collect();
        assert_eq!(closed(&payloads, &reversed), expected, "{dialect}/{scenario} reversed");
        assert_eq!(closed_scoped(&payloads, &order, false), expected, "{dialect}/{scenario} without scopes");
        let twice = [order.clone(), reversed].concat();
        assert_eq!(closed(&payloads, &twice), expected, "{dialect}/{scenario} twice");
        let shuffled = Just(order).prop_shuffle();
        let mut runner = TestRunner::new(Config { cases: 12, failure_persistence: None, ..Config::default() });
        runner
            .run(&shuffled, |order| {
                prop_assert_eq!(closed(&payloads, &order), expected.clone(), "{}/{}", dialect, scenario);
                Ok(())
            })
            .unwrap();
    }
}
