//! The system's entropy.

use nightdesk_env::Entropy;

/// Random bits from the operating system, by AWS-LC: good for keys.
#[derive(Debug, Clone, Copy, Default)]
pub struct OsEntropy;

impl OsEntropy {
    /// The source.
    #[must_use]
    pub fn new() -> Self {
        Self
    }
}

impl Entropy for OsEntropy {
    fn next_u64(&self) -> u64 {
        let mut bytes = [0; 8];
        self.fill(&mut bytes);
        u64::from_le_bytes(bytes)
    }

    fn fill(&self, bytes: &mut [u8]) {
        if aws_lc_rs::rand::fill(bytes).is_err() {
            // Bits that are not random would become keys. Nothing that follows could be trusted.
            eprintln!("the operating system gives no random bits: cannot go on");
            std::process::abort();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_differ_and_fill_everything() {
        let entropy = OsEntropy::new();
        assert_ne!(entropy.next_u64(), entropy.next_u64());
        let mut bytes = [0; 4_096];
        entropy.fill(&mut bytes);
        assert!(bytes.chunks(64).all(|chunk| chunk.iter().any(|byte| *byte != 0)));
    }
}
