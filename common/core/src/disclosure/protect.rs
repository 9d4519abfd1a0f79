//! Rungs of all blocks of a release: by the rule, and then, until the attacker learns too little, lower.
//!
//! A block with a cell that is not protected sends a neighbour down a rung: the first that leaves fewer such cells, and if
//! none does alone, the first. The least harm comes first: from full to margins before margins to n before n to nothing; of
//! the finest slices; with the fewest events; all events together last. Rungs only go down, so this ends, if need be where
//! nothing is shown but what is public. Then what went down in vain is put back. Groups without events hide nothing and stay.
//!
//! Where zeros are hidden, groups show cells or totals only beside the totals of all events, which say what nobody has.
//!
//! The search is bounded by work that is counted, not by time, so that it ends alike on every machine. What is left then is
//! hidden in large steps, which costs more of what could be shown, and no safety: a cell counts as protected only once it was
//! seen to be.

use super::attack::{Place, Public, perhaps_unprotected, unprotected};
use super::rungs::{Behind, Ladder, Margins, Rule, Rung};
use super::simplex::Work;
use super::views::Views;
use super::zeros::Zeros;
use crate::event::Why;
use std::cmp::Reverse;

/// By stratum, slice and group.
pub(super) type Blocks<T> = Vec<Vec<Vec<T>>>;

/// The rungs of the slices of each stratum, and why each group is where it is.
pub(super) fn protect(
    views: &Views,
    strata: Blocks<Behind>,
    public: Public,
    (k, hide_zeros): (u64, bool),
) -> (Vec<Vec<Ladder>>, Blocks<Option<Why>>) {
    protect_within(views, strata, public, (k, hide_zeros), BOUNDS)
}

/// The same, with so much work.
fn protect_within(
    views: &Views,
    strata: Blocks<Behind>,
    public: Public,
    (k, hide_zeros): (u64, bool),
    bounds: Bounds,
) -> (Vec<Vec<Ladder>>, Blocks<Option<Why>>) {
    let ladders = |slices: Vec<Vec<Behind>>| {
        let whole = slices.first().and_then(|slice| slice.first()).map(|whole| Margins::of(&whole.counts));
        let zeros = if hide_zeros { Zeros::structural(whole) } else { Zeros::ALL };
        slices.into_iter().map(|slice| Ladder::new(slice, Rule { k, zeros })).collect()
    };
    let mut ladders: Vec<Vec<Ladder>> = strata.into_iter().map(ladders).collect();
    let mut whys: Blocks<Option<Why>> = ladders.iter().map(|ladders| ladders.iter().map(whys).collect()).collect();
    for (slices, whys) in ladders.iter_mut().zip(&mut whys) {
        break_circles(views, slices, whys);
    }
    let mut work = Work::new(bounds.search);
    search(views, &mut ladders, &mut whys, (public, k), &mut work);
    if work.is_spent() {
        sweep(views, &mut ladders, &mut whys, (public, k), bounds);
        work = Work::new(bounds.search);
    }
    // Once more, because a fold that shrinks may free what was tried before.
    (0..2).for_each(|_| restore(views, &mut ladders, &mut whys, (public, k), &mut work));
    ladders.iter_mut().zip(&mut whys).for_each(|(slices, whys)| show_whole(slices, whys));
    (ladders, whys)
}

/// Lowers one block after the other until all are protected, or the work is spent.
fn search(
    views: &Views,
    ladders: &mut [Vec<Ladder>],
    whys: &mut Blocks<Option<Why>>,
    (public, k): (Public, u64),
    work: &mut Work,
) {
    let mut left = unprotected(views, ladders, public, k, work);
    while let Some(place) = left.first().copied() {
        let candidates = neighbours(views, ladders, place);
        let Some(mut next) = candidates.first().copied() else { return };
        // The least harm that helps; the least harm at all if nothing does alone.
        let before = perhaps_unprotected(views, ladders, public, k, Some(&[place]), work).len();
        for candidate in candidates.into_iter().take(TRIES) {
            let mut tried = ladders.to_vec();
            tried[candidate.stratum][candidate.slice].lower(candidate.group);
            if perhaps_unprotected(views, &tried, public, k, Some(&[place]), work).len() < before {
                next = candidate;
                break;
            }
        }
        if work.is_spent() {
            return;
        }
        lower(views, ladders, whys, next);
        left = perhaps_unprotected(views, ladders, public, k, Some(&left), work);
        if left.is_empty() {
            // Also of those that were protected before: a fold that grows may say more.
            left = unprotected(views, ladders, public, k, work);
        }
    }
}

/// Where that takes too long: every unprotected block hides one in its own line, all in one round, unless one there has just
/// gone; and after some rounds whole slices go, the finest first.
fn sweep(
    views: &Views,
    ladders: &mut [Vec<Ladder>],
    whys: &mut Blocks<Option<Why>>,
    (public, k): (Public, u64),
    bounds: Bounds,
) {
    for round in 0.. {
        let mut left = perhaps_unprotected(views, ladders, public, k, None, &mut Work::new(bounds.round));
        left.dedup();
        let Some(first) = left.first().copied() else { return };
        if round < bounds.rounds {
            let mut gone: Vec<Place> = Vec::new();
            for place in left {
                if gone.iter().any(|at| *at != place && views.in_line(place, *at)) {
                    continue;
                }
                let candidates = neighbours(views, ladders, place);
                let beside = candidates.iter().find(|at| **at != place && views.in_line(place, **at));
                let Some(next) = beside.or(candidates.first()).copied() else { continue };
                while ladders[next.stratum][next.slice].shown(next.group).is_some() {
                    lower(views, ladders, whys, next);
                }
                gone.push(next);
            }
            continue;
        }
        let finest = |stratum: usize| {
            let shown = (0..ladders[stratum].len()).filter(|at| is_seen(&ladders[stratum][*at]));
            shown.max_by_key(|at| views.depth(*at)).map(|at| (stratum, at))
        };
        let next = finest(first.stratum).or_else(|| (0..ladders.len()).find_map(finest));
        let Some((stratum, slice)) = next else { return };
        ladders[stratum][slice].withhold();
        whys[stratum][slice].iter_mut().for_each(|why| *why = why.or(Some(Why::Others)));
    }
}

fn lower(views: &Views, ladders: &mut [Vec<Ladder>], whys: &mut Blocks<Option<Why>>, at: Place) {
    ladders[at.stratum][at.slice].lower(at.group);
    if let Some(group) = at.group {
        whys[at.stratum][at.slice][group].get_or_insert(Why::Others);
    }
    // What became too much for a circle, too.
    break_circles(views, &mut ladders[at.stratum], &mut whys[at.stratum]);
}

/// All events follow from the groups of a slice that are all full.
fn show_whole(slices: &mut [Ladder], whys: &mut [Vec<Option<Why>>]) {
    let is_full = |slice: &Ladder| slice.rungs.iter().all(|rung| *rung == Rung::Full);
    if slices.iter().any(is_full) {
        slices.iter_mut().take(1).for_each(|whole| whole.rungs.fill(Rung::Full));
        whys.iter_mut().take(1).for_each(|whole| whole.fill(None));
    }
}

/// Puts blocks back that went down for others in vain: the coarsest slices first, of these the groups with the most events.
fn restore(
    views: &Views,
    strata: &mut [Vec<Ladder>],
    whys: &mut Blocks<Option<Why>>,
    (public, k): (Public, u64),
    work: &mut Work,
) {
    let mut places = Vec::new();
    for (stratum, slices) in whys.iter().enumerate() {
        for (slice, groups) in slices.iter().enumerate() {
            let behind = &strata[stratum][slice].behind;
            let lowered = groups.iter().enumerate().filter(|(_, why)| matches!(why, Some(Why::Others | Why::Few)));
            places.extend(lowered.map(|(at, _)| {
                (views.depth(slice), Reverse(behind[at].events()), Place { stratum, slice, group: Some(at) })
            }));
        }
    }
    places.sort();
    for (_, _, place) in places {
        let Place { stratum, slice, group: Some(group) } = place else { continue };
        if work.is_spent() {
            return;
        }
        let ladder = &strata[stratum][slice];
        let best = ladder.own[group];
        for rung in [Rung::Full, Rung::Margins, Rung::N].into_iter().filter(|rung| *rung >= best) {
            if rung >= ladder.rungs[group] {
                break;
            }
            let mut tried = strata.to_vec();
            tried[stratum][slice].rungs[group] = rung;
            if tried[stratum][slice].is_whole()
                && says_its_zeros(&tried[stratum])
                && unprotected(views, &tried, public, k, work).is_empty()
            {
                strata[stratum][slice].rungs[group] = rung;
                if rung == Rung::Full {
                    whys[stratum][slice][group] = None;
                }
                break;
            }
        }
    }
}

/// Whether the totals of all events stand beside those of groups, which else could show a 0 that nobody knows to be theirs.
fn says_its_zeros(slices: &[Ladder]) -> bool {
    let has_totals = |slice: &Ladder| {
        let fold = slice.fold().map(|(rung, _)| rung);
        slice.rungs.iter().copied().chain(fold).any(|rung| rung <= Rung::Margins)
    };
    let hides = |slice: &Ladder| slice.rule.zeros != Zeros::ALL && !has_totals(slice);
    !slices.first().is_some_and(hides) || !slices.iter().any(has_totals)
}

fn whys(ladder: &Ladder) -> Vec<Option<Why>> {
    let of = |(first, now): (&Rung, &Rung)| match (first, now) {
        (Rung::Full, Rung::Full) => None,
        (Rung::Hidden, _) => Some(Why::Few),
        (_, Rung::Hidden) => Some(Why::Fold),
        _ => Some(Why::Few),
    };
    ladder.own.iter().zip(&ladder.rungs).map(of).collect()
}

/// Withholds the smallest slices that overlap in a circle, until none does, where anything is hidden in one of them.
fn break_circles(views: &Views, slices: &mut [Ladder], whys: &mut [Vec<Option<Why>>]) {
    if slices.iter().all(|slice| slice.rungs.iter().all(|rung| *rung == Rung::Full)) {
        return;
    }
    loop {
        let seen: Vec<usize> = (0..slices.len()).filter(|at| is_seen(&slices[*at])).collect();
        let Some(slice) = views.circle(&seen) else { return };
        slices[slice].withhold();
        whys[slice].iter_mut().for_each(|why| *why = why.or(Some(Why::Circle)));
    }
}

/// Whether anything of a slice is shown.
fn is_seen(slice: &Ladder) -> bool {
    slice.rungs.iter().any(|rung| *rung != Rung::Hidden) || slice.fold().is_some()
}

/// The blocks that may go down a rung for an unprotected one, the least harm first: of those that share events with it, then
/// of its stratum, then of all.
fn neighbours(views: &Views, strata: &[Vec<Ladder>], place: Place) -> Vec<Place> {
    let all = strata.iter().enumerate().flat_map(|(stratum, slices)| {
        slices.iter().enumerate().flat_map(move |(slice, ladder)| {
            let groups = (0..ladder.rungs.len()).map(Some).chain([None]);
            groups.map(move |group| (Place { stratum, slice, group }, ladder))
        })
    });
    let shown = all.filter_map(|(at, ladder)| {
        let (rung, counts) = ladder.shown(at.group)?;
        let events: u64 = counts.iter().flatten().sum();
        let near = if views.touch(place, at) { 0 } else { 1 + u8::from(at.stratum != place.stratum) };
        (events > 0).then_some((near, rung, Reverse(views.depth(at.slice)), events, at))
    });
    let mut shown: Vec<_> = shown.collect();
    shown.sort();
    let all: Vec<Place> = shown.into_iter().map(|harm| harm.4).collect();
    // Without the counts of all events nothing of the others can be bounded: they go when nothing else is left.
    let parts: Vec<Place> = all.iter().filter(|at| views.depth(at.slice) > 0).copied().collect();
    if parts.is_empty() { all } else { parts }
}

/// Most neighbours that are tried for one block.
const TRIES: usize = 100;
/// How much work is done.
#[derive(Clone, Copy, Debug)]
struct Bounds {
    /// Entries of tableaux that the search for the least harm may write, and again what puts blocks back.
    search: u64,
    /// The same of one look at all blocks together.
    round: u64,
    /// Rounds before whole slices go.
    rounds: usize,
}

/// Some tenths of a second.
const BOUNDS: Bounds = Bounds { search: 1_200_000_000, round: 600_000_000, rounds: 16 };

#[cfg(test)]
mod tests;
