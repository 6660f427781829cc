//! Fuzz target of struct marshalling: any bytes of any structure convert between any two ABIs, and what survived one way
//! to the host and back survives the next; flags likewise.

use ir::testing::fuzz;
use syscall_tables::*;

fn there_and_back(ty: Ty, arch: Arch, bytes: &[u8]) -> Vec<u8> {
    let mut host = vec![0; element(ty, HOST).0];
    convert(ty, arch, bytes, HOST, &mut host);
    let mut back = vec![0; bytes.len()];
    convert(ty, HOST, &host, arch, &mut back);
    back
}

#[test]
fn fuzz_struct_marshalling() {
    let cases = fuzz("struct marshalling", 2, |rng| {
        let id = StructId(rng.below(STRUCTS.len()) as u16);
        let (ty, from, to) = (Ty::Struct(id), ARCHES[rng.below(ARCHES.len())].arch, rng.below(ARCHES.len()));
        let mut bytes = vec![0u8; element(ty, from).0];
        match rng.below(3) {
            0 => bytes.fill(0xff),
            1 => bytes.iter_mut().for_each(|b| *b = rng.bits() as u8),
            _ => {
                for f in &layout(id, from).fields {
                    if f.size <= 8 && f.field.count == 0 && !matches!(f.field.ty, Ty::Struct(_)) {
                        f.put(&mut bytes, from, rng.number());
                    }
                }
            }
        }
        let mut other = vec![0; element(ty, ARCHES[to].arch).0];
        convert(ty, from, &bytes, ARCHES[to].arch, &mut other);
        let once = there_and_back(ty, from, &bytes);
        assert_eq!(there_and_back(ty, from, &once), once, "{} on {from:?}", STRUCTS[id.0 as usize].name);
        if same_layout(ty, from, HOST) {
            for f in layout(id, from).fields.iter().filter(|f| f.size <= 8 && f.field.count == 0) {
                if !matches!(f.field.ty, Ty::Struct(_)) {
                    assert_eq!(f.get(&once, from), f.get(&bytes, from), "{}", f.field.name);
                }
            }
        }
        let (set, value) = (FlagSetId(rng.below(FLAG_SETS.len()) as u16), rng.number());
        let host = set.to_host(value, from);
        let again = set.to_host(set.from_host(host, from), from);
        assert_eq!(again, host, "{} of {value:#x} on {from:?}", FLAG_SETS[set.0 as usize].name);
    });
    assert!(cases > 100);
}
