//! The C library's locales: the only unsafe code, and all of it.
#![allow(unsafe_code)] // foreign functions have no other form

use std::cmp::Ordering;
use std::ffi::{CStr, CString, c_char, c_int};
use std::ptr;

use libc::locale_t;

/// `wint_t`, as which a `wchar_t` is passed: `int` on Apple's systems, which is passed alike.
type WideInt = std::ffi::c_uint;

// POSIX.1-2008; the libc crate does not have them on every platform.
unsafe extern "C" {
    fn strcoll_l(left: *const c_char, right: *const c_char, locale: locale_t) -> c_int;
    fn towupper_l(character: WideInt, locale: locale_t) -> WideInt;
    fn towlower_l(character: WideInt, locale: locale_t) -> WideInt;
    fn iswalnum_l(character: WideInt, locale: locale_t) -> c_int;
}

/// A locale with UTF-8 as its character set.
#[derive(Debug)]
pub(crate) struct Locale {
    /// Not null.
    handle: locale_t,
}

// SAFETY: a locale object is not changed after it was made, and the functions that take one may
// be called from several threads at a time (POSIX, "Thread-Safety").
unsafe impl Send for Locale {}
// SAFETY: as above.
unsafe impl Sync for Locale {}

impl Locale {
    /// The category `LC_COLLATE` of a locale.
    pub(crate) fn collate(name: &str) -> Option<Self> {
        Self::open(libc::LC_COLLATE_MASK | libc::LC_CTYPE_MASK, name)
    }

    /// The category `LC_CTYPE` of a locale.
    pub(crate) fn ctype(name: &str) -> Option<Self> {
        Self::open(libc::LC_CTYPE_MASK, name)
    }

    fn open(mask: c_int, name: &str) -> Option<Self> {
        let name = CString::new(name).ok()?;
        // SAFETY: the name is a C string that lives through the call; a null base asks for a new
        // object.
        let handle = unsafe { libc::newlocale(mask, name.as_ptr(), ptr::null_mut()) };
        if handle.is_null() {
            return None;
        }
        let locale = Self { handle };
        // SAFETY: the handle is valid as long as `locale` is.
        let codeset = unsafe { libc::nl_langinfo_l(libc::CODESET, locale.handle) };
        // SAFETY: never null; a C string that lives as long as the locale.
        let codeset = unsafe { CStr::from_ptr(codeset) };
        (codeset.to_bytes() == b"UTF-8").then_some(locale)
    }

    /// The order of two strings.
    pub(crate) fn compare(&self, left: &CStr, right: &CStr) -> Ordering {
        // SAFETY: both are C strings, the handle is valid as long as `self` is.
        unsafe { strcoll_l(left.as_ptr(), right.as_ptr(), self.handle) }.cmp(&0)
    }

    pub(crate) fn upper(&self, character: char) -> char {
        // SAFETY: any value may be passed, the handle is valid as long as `self` is.
        mapped(character, unsafe { towupper_l(wide(character), self.handle) })
    }

    pub(crate) fn lower(&self, character: char) -> char {
        // SAFETY: as above.
        mapped(character, unsafe { towlower_l(wide(character), self.handle) })
    }

    pub(crate) fn is_alphanumeric(&self, character: char) -> bool {
        // SAFETY: as above.
        unsafe { iswalnum_l(wide(character), self.handle) != 0 }
    }
}

impl Drop for Locale {
    fn drop(&mut self) {
        // SAFETY: it came from `newlocale` and is not used after this.
        unsafe { libc::freelocale(self.handle) }
    }
}

/// In a locale with UTF-8 a `wchar_t` is a code point.
fn wide(character: char) -> WideInt {
    u32::from(character)
}

/// What a mapping made of a character; itself, should that ever be no character.
fn mapped(character: char, wide: WideInt) -> char {
    char::from_u32(wide).unwrap_or(character)
}

/// The version of the C library, which PostgreSQL records as that of its collations.
pub(crate) fn version() -> Option<String> {
    #[cfg(target_env = "gnu")]
    {
        // SAFETY: returns a C string that is never freed.
        let version = unsafe { CStr::from_ptr(libc::gnu_get_libc_version()) };
        version.to_str().ok().map(ToOwned::to_owned)
    }
    #[cfg(not(target_env = "gnu"))]
    None
}
