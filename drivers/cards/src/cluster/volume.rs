//! What a boot sector says: where the table, the clusters and the root are.

use hal::CardFacts;

use super::Extent;

/// Whose entries the folders have.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Style {
    Fat,
    Exfat,
}

/// How wide a line of the table is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Width {
    Fat12,
    Fat16,
    Fat32,
    Exfat,
}

/// Where the root is.
#[derive(Clone, Copy)]
pub enum Root {
    /// Of its own, in front of the clusters.
    Fixed(Extent),
    /// Beginning at a cluster.
    Chain(u32),
}

/// A file system of clusters, as its boot sector says. All of it lies within the card, sums do not overflow.
pub struct Volume {
    pub facts: CardFacts,
    pub style: Style,
    pub width: Width,
    /// First byte of the first table.
    pub table_at: u64,
    /// First byte of cluster 2.
    pub data_at: u64,
    pub cluster_bytes: u64,
    /// How many there are; the numbers begin at 2.
    pub clusters: u32,
    pub root: Root,
}

impl Volume {
    /// Whether a number is one of a cluster.
    pub fn is_cluster(&self, number: u32) -> bool {
        number >= 2 && number - 2 < self.clusters
    }

    /// First byte of a cluster.
    pub fn at_bytes(&self, cluster: u32) -> u64 {
        self.data_at + u64::from(cluster - 2) * self.cluster_bytes
    }
}
