//! The intermediate representation: values, operations, regions, and what a guest and a machine are.
//!
//! Front ends build [`Region`]s with a [`Builder`]; passes rewrite them; back ends compile them; the interpreter
//! defines what each operation means. Nothing here names a guest or a host.
#![deny(unsafe_code)]

mod backend;
mod builder;
mod encode;
mod guest;
pub mod interp;
pub mod kept;
mod machine;
mod ops;
mod parse;
mod recipe;
mod region;
pub mod softfloat;
pub mod state;
pub mod testing;
pub mod text;
mod types;
mod verify;

pub use backend::*;
pub use builder::Builder;
pub use guest::{BlockRequest, Guest, HelperDesc, HelperFn, SlotDesc, SlotSet, SlotTable};
pub use machine::{FpState, Machine, Monitor, Stop};
pub use ops::{AttrKind, Effect, Kind, MERGE, NAN_IS_MAX, Op, OpInfo, SILENT};
pub use parse::parse;
pub use recipe::{RECIPE_SLOTS, Recipe, RecipeArg, RecipeOp};
pub use region::{Block, BlockId, ILLEGAL_OPERAND, Inst, Region, Target, Term, TrapKind, Val};
pub use types::*;
pub use verify::verify;
