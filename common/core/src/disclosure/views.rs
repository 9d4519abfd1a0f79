//! How the slices of a plan hang together: which is coarser than which, what two share, and whether they go round in a circle.

use super::Counts;
use super::attack::Place;
use std::collections::{BTreeMap, BTreeSet};

/// Attributes and groups of the slices, and how they hang together.
pub(super) struct Views {
    /// The slices, then the tables of attributes that they share.
    views: Vec<View>,
    /// Coarse view, fine view, and the coarse group of each fine one.
    pub links: Vec<(usize, usize, Vec<usize>)>,
    /// Of each table of shared attributes: how many groups it has, a slice that has them all, and the place of each of the
    /// slice's groups.
    pub shared: Vec<(usize, usize, Vec<usize>)>,
}

struct View {
    attributes: Vec<String>,
    groups: Vec<Vec<String>>,
}

impl Views {
    pub fn new(slices: &[(Vec<String>, Vec<Vec<String>>)]) -> Views {
        let mut views: Vec<View> = Vec::new();
        let view = |(attributes, groups): &(Vec<String>, Vec<Vec<String>>)| View {
            attributes: attributes.clone(),
            groups: groups.clone(),
        };
        views.extend(slices.iter().map(view));
        // Until no two share what is no view.
        let mut at = 0;
        while at < views.len() {
            for other in 0..at {
                let shared = |name: &&String| views[other].attributes.contains(name);
                let shared: Vec<String> = views[at].attributes.iter().filter(shared).cloned().collect();
                if !views.iter().any(|view| same(&view.attributes, &shared)) {
                    let groups: BTreeSet<_> = views[at].project(&shared).into_iter().collect();
                    views.push(View { attributes: shared, groups: groups.into_iter().collect() });
                }
            }
            at += 1;
        }
        let (links, shared) = (links(&views), shared(&views, slices.len()));
        Views { views, links, shared }
    }

    /// Whether two groups of one slice have a category in common, or the slice one attribute at most.
    pub fn in_line(&self, one: Place, other: Place) -> bool {
        if (one.stratum, one.slice) != (other.stratum, other.slice) {
            return false;
        }
        let view = &self.views[one.slice];
        let (Some(x), Some(y)) = (one.group, other.group) else { return true };
        view.attributes.len() < 2 || view.groups[x].iter().zip(&view.groups[y]).any(|(x, y)| x == y)
    }

    /// Whether a group of a slice has events in common with one of another, where one slice's attributes are the other's and
    /// more; or both are of one slice.
    pub fn touch(&self, one: Place, other: Place) -> bool {
        if one.stratum != other.stratum {
            return false;
        }
        if one.slice == other.slice {
            return true;
        }
        let (a, b) = (&self.views[one.slice], &self.views[other.slice]);
        let nested = subset(&a.attributes, &b.attributes) || subset(&b.attributes, &a.attributes);
        let (Some(x), Some(y)) = (one.group, other.group) else { return nested };
        let agree = |(name, value): (&String, &String)| {
            b.attributes.iter().position(|of| of == name).is_none_or(|at| b.groups[y][at] == *value)
        };
        nested && a.attributes.iter().zip(&a.groups[x]).all(agree)
    }

    /// The counts of the tables of shared attributes, from those of the slices.
    pub fn sums(&self, slices: &[Vec<Counts>]) -> Vec<Vec<Counts>> {
        let of = |(size, fine, groups): &(usize, usize, Vec<usize>)| {
            let mut sums = vec![Counts::default(); *size];
            for (counts, at) in slices[*fine].iter().zip(groups) {
                sums[*at].iter_mut().flatten().zip(counts.iter().flatten()).for_each(|(sum, part)| *sum += part);
            }
            sums
        };
        self.shared.iter().map(of).collect()
    }

    /// How many attributes a slice has.
    pub fn depth(&self, slice: usize) -> usize {
        self.views[slice].attributes.len()
    }

    /// The smallest of the slices in `among` that go round in a circle.
    pub fn circle(&self, among: &[usize]) -> Option<usize> {
        // Graham 1979; Yu and Özsoyoğlu 1979: an acyclic system vanishes under the two steps.
        let mut edges: Vec<(usize, BTreeSet<&String>)> =
            among.iter().map(|slice| (*slice, self.views[*slice].attributes.iter().collect())).collect();
        loop {
            let before: usize = edges.iter().map(|(_, edge)| edge.len() + 1).sum();
            let mut uses: BTreeMap<&String, usize> = BTreeMap::new();
            edges.iter().flat_map(|(_, edge)| edge).for_each(|name| *uses.entry(name).or_default() += 1);
            edges.iter_mut().for_each(|(_, edge)| edge.retain(|name| uses[*name] > 1));
            let inside = |at: usize| {
                let holds = |(other, (_, edge)): (usize, &(usize, BTreeSet<&String>))| {
                    other != at && edges[at].1.is_subset(edge) && (edges[at].1 != *edge || other < at)
                };
                edges.iter().enumerate().any(holds)
            };
            let kept: Vec<bool> = (0..edges.len()).map(|at| !inside(at)).collect();
            let mut kept = kept.into_iter();
            edges.retain(|_| kept.next().unwrap_or(true));
            if edges.iter().map(|(_, edge)| edge.len() + 1).sum::<usize>() == before {
                break;
            }
        }
        let left = edges.iter().filter(|(_, edge)| !edge.is_empty()).map(|(slice, _)| *slice);
        left.min_by_key(|slice| (self.views[*slice].groups.len(), *slice))
    }
}

impl View {
    /// Each group's categories of some of the attributes.
    fn project(&self, attributes: &[String]) -> Vec<Vec<String>> {
        let places: Vec<usize> =
            attributes.iter().filter_map(|name| self.attributes.iter().position(|own| own == name)).collect();
        self.groups.iter().map(|group| places.iter().map(|at| group[*at].clone()).collect()).collect()
    }
}

fn subset(one: &[String], other: &[String]) -> bool {
    one.iter().all(|name| other.contains(name))
}

fn same(one: &[String], other: &[String]) -> bool {
    one.len() == other.len() && subset(one, other)
}

/// Each view with the next coarser ones.
fn links(views: &[View]) -> Vec<(usize, usize, Vec<usize>)> {
    let coarser = |one: usize, other: usize| {
        let (a, b) = (&views[one].attributes, &views[other].attributes);
        one != other && subset(a, b) && (a.len() < b.len() || one < other)
    };
    let all = 0..views.len();
    let mut links = Vec::new();
    for coarse in all.clone() {
        for fine in all.clone().filter(|fine| coarser(coarse, *fine)) {
            if all.clone().any(|between| coarser(coarse, between) && coarser(between, fine)) {
                continue;
            }
            let names: BTreeMap<&Vec<String>, usize> = views[coarse].groups.iter().zip(0..).collect();
            let projected = views[fine].project(&views[coarse].attributes);
            let groups = projected.iter().filter_map(|group| names.get(group).copied());
            links.push((coarse, fine, groups.collect()));
        }
    }
    links
}

fn shared(views: &[View], slices: usize) -> Vec<(usize, usize, Vec<usize>)> {
    let of = |view: &View| {
        let fine = views[..slices].iter().position(|slice| subset(&view.attributes, &slice.attributes))?;
        let names: BTreeMap<&Vec<String>, usize> = view.groups.iter().zip(0..).collect();
        let projected = views[fine].project(&view.attributes);
        Some((view.groups.len(), fine, projected.iter().filter_map(|group| names.get(group).copied()).collect()))
    };
    views[slices..].iter().filter_map(of).collect()
}
