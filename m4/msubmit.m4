# MSUBMIT_TRY_FLAG(VARIABLE, FLAG): adds FLAG to VARIABLE if the compiler takes it
AC_DEFUN([MSUBMIT_TRY_FLAG], [
	msubmit_save_cflags=$CFLAGS
	CFLAGS="$CFLAGS -Werror $2"
	AC_LINK_IFELSE([AC_LANG_PROGRAM([], [])], [$1="$$1 $2"])
	CFLAGS=$msubmit_save_cflags
])

AC_DEFUN([MSUBMIT_WARNINGS], [
	AC_MSG_CHECKING([which warnings the compiler knows])
	MSUBMIT_CFLAGS=
	m4_foreach_w([flag], [-Wall -Wextra -Wformat=2 -Wshadow -Wstrict-prototypes
		-Wmissing-prototypes -Wwrite-strings -Wvla -Wundef -Wpointer-arith],
		[MSUBMIT_TRY_FLAG([MSUBMIT_CFLAGS], flag)])
	AC_MSG_RESULT([$MSUBMIT_CFLAGS])
])

# Hardening that costs nothing at start-up; the sanitizers bring their own checks.
AC_DEFUN([MSUBMIT_HARDENING], [
	AC_MSG_CHECKING([which hardening the compiler knows])
	MSUBMIT_LDFLAGS=
	MSUBMIT_CPPFLAGS=
	hardening=
	m4_foreach_w([flag], [-fstack-protector-strong -fstack-clash-protection -fPIE],
		[MSUBMIT_TRY_FLAG([hardening], flag)])
	MSUBMIT_CFLAGS="$MSUBMIT_CFLAGS $hardening"
	m4_foreach_w([flag], [-pie -Wl,-z,relro -Wl,-z,noexecstack -Wl,--as-needed -Wl,-O1],
		[MSUBMIT_TRY_FLAG([MSUBMIT_LDFLAGS], [flag])])
	AS_IF([test "$enable_sanitizers" != yes && test "$enable_fuzzing" != yes],
	      [AS_CASE(["$CFLAGS"], [*-O0*], [], [*-O*],
		       [MSUBMIT_CPPFLAGS="-U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2"])])
	AC_MSG_RESULT([$hardening $MSUBMIT_LDFLAGS $MSUBMIT_CPPFLAGS])
])

# MSUBMIT_MISSING(WHAT, DEBIAN PACKAGE, FEDORA PACKAGE): notes what building needs and is not there
AC_DEFUN([MSUBMIT_MISSING], [
	missing="$missing${missing:+, }$1"
	missing_debian="$missing_debian $2"
	missing_fedora="$missing_fedora $3"
])

# MSUBMIT_NOTHING_MISSING: ends here when something is, and names all of it at once
AC_DEFUN([MSUBMIT_NOTHING_MISSING], [
	AS_IF([test -n "$missing"], [AC_MSG_ERROR([missing: $missing
  Debian, Ubuntu:  apt install$missing_debian
  Fedora, RHEL:    dnf install$missing_fedora
  others: see README])])
])

# MSUBMIT_LIBRARY(NAME, MODULE, DEBIAN PACKAGE, FEDORA PACKAGE)
AC_DEFUN([MSUBMIT_LIBRARY], [
	PKG_CHECK_MODULES([$1], [$2], [], [MSUBMIT_MISSING([$2], [$3], [$4])])
])

# MSUBMIT_SONAME(NAME, LIBS, FUNCTION, LIBRARY, DEFAULT): defines NAME_SONAME,
# the file name under which the library is loaded when first needed
AC_DEFUN([MSUBMIT_SONAME], [
	AC_MSG_CHECKING([under which name lib$4 is loaded])
	msubmit_save_libs=$LIBS
	LIBS="$2 $LIBS"
	$1_soname=
	AC_LINK_IFELSE([AC_LANG_CALL([], [$3])],
		[$1_soname=`$OBJDUMP -p conftest$EXEEXT 2>/dev/null | \
			$AWK '$[]1 == "NEEDED" && $[]2 ~ /^lib$4\./ { print $[]2 }'`])
	LIBS=$msubmit_save_libs
	AS_IF([test -z "$$1_soname"], [$1_soname=$5])
	AC_MSG_RESULT([$$1_soname])
	AC_DEFINE_UNQUOTED([$1_SONAME], ["$$1_soname"], [file name of lib$4])
])
