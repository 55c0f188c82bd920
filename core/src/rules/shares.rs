//! Division of a whole number into shares that add up to it.

use std::cmp::Reverse;

/// Divides a total by weights, so that the shares add up to it exactly (largest remainder, also known as Hamilton's method): each share is
/// rounded down, and what is left goes, one by one, to the shares that lost most by that; of equal ones to the lower key first.
///
/// Weights below 0 count as 0. If no weight is above 0, all count alike. A negative total is divided as a positive one. Returns the shares in
/// the order of the weights; no share if there is no weight.
pub fn largest_remainder<K: Clone + Ord>(total: i64, weights: &[(K, i64)]) -> Vec<(K, i64)> {
    let positive = |weight: i64| u128::try_from(weight).unwrap_or(0);
    let all: u128 = weights.iter().map(|(_, weight)| positive(*weight)).sum();
    let (all, alike) = if all > 0 { (all, 0) } else { (weights.len().max(1) as u128, 1) };
    let amount = u128::from(total.unsigned_abs());
    // A total below 2⁶⁴ and a weight below 2⁶³ have a product below 2¹²⁷.
    let exact = weights.iter().map(|(_, weight)| amount * (positive(*weight) + alike).min(all));
    let mut shares: Vec<(u128, u128)> = exact.map(|product| (product / all, product % all)).collect();
    let mut left = amount - shares.iter().map(|(share, _)| share).sum::<u128>().min(amount);

    let mut order: Vec<_> = weights.iter().zip(&mut shares).collect();
    order.sort_by(|((key, _), (_, rest)), ((other_key, _), (_, other_rest))| {
        (Reverse(*rest), key).cmp(&(Reverse(*other_rest), other_key))
    });
    for (_, (share, _)) in order {
        if left == 0 {
            break;
        }
        (*share, left) = (*share + 1, left - 1);
    }
    let signed =
        |share: u128| i64::try_from(i128::try_from(share).unwrap_or(0) * i128::from(total.signum())).unwrap_or(0);
    weights.iter().zip(shares).map(|((key, _), (share, _))| (key.clone(), signed(share))).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_left_goes_to_the_largest_remainders_and_then_to_the_lower_keys() {
        let shares = |total, weights: &[(u8, i64)]| -> Vec<i64> {
            largest_remainder(total, weights).into_iter().map(|(_, share)| share).collect()
        };
        assert_eq!(shares(10, &[(0, 1), (1, 1), (2, 1)]), [4, 3, 3]);
        assert_eq!(shares(11, &[(2, 1), (1, 1), (0, 1)]), [3, 4, 4], "the keys decide, not the order");
        assert_eq!(shares(-10, &[(0, 1), (1, 1), (2, 1)]), [-4, -3, -3]);
        assert_eq!(shares(100, &[(0, 0), (1, 7), (2, -7)]), [0, 100, 0]);
        assert_eq!(shares(5, &[(0, 0), (1, 0)]), [3, 2]);
        assert_eq!(shares(5, &[]), [0; 0]);
        assert_eq!(shares(i64::MIN, &[(0, i64::MAX)]), [i64::MIN]);
    }

    proptest! {
        #[test]
        fn shares_add_up_and_are_less_than_one_from_exact(
            total in any::<i64>(), weights in prop::collection::vec(1..1_i64 << 40, 1..50),
        ) {
            let weights: Vec<(usize, i64)> = weights.into_iter().enumerate().collect();
            let all: i128 = weights.iter().map(|(_, weight)| i128::from(*weight)).sum();
            let shares = largest_remainder(total, &weights);
            prop_assert_eq!(shares.iter().map(|(_, share)| i128::from(*share)).sum::<i128>(), i128::from(total));
            for ((_, weight), (_, share)) in weights.iter().zip(shares) {
                let distance = i128::from(share).checked_mul(all).zip(i128::from(total).checked_mul((*weight).into()));
                let (share, exact) = distance.expect("both below 2¹²⁷");
                prop_assert!((share - exact).abs() < all);
            }
        }
    }
}
