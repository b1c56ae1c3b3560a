# Installs packages with whatever the system has. Sourced by run and check.

say() {
	printf '%s\n' "== $*"
}

die() {
	printf '%s\n' "$0: $*" >&2
	exit 1
}

as_root() {
	if [ "$(id -u)" = 0 ]; then
		"$@"
	elif command -v sudo >/dev/null 2>&1; then
		sudo "$@"
	else
		die "not root and no sudo: run as root: $*"
	fi
}

manager() {
	for m in apt-get dnf apk pacman brew; do
		command -v "$m" >/dev/null 2>&1 && { echo "$m"; return; }
	done
	echo none
}

# install_packages PACKAGE...: names of the manager at hand
install_packages() {
	case $(manager) in
	apt-get)
		apt_updated=${apt_updated:-}
		[ -n "$apt_updated" ] || as_root apt-get update -qq
		apt_updated=yes
		as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq \
			--no-install-recommends "$@" >/dev/null ;;
	dnf) as_root dnf install -y -q "$@" ;;
	apk) as_root apk add -q "$@" ;;
	pacman) as_root pacman -S --needed --noconfirm "$@" ;;
	brew) brew install "$@" ;;
	*) die "no known package manager: install $*" ;;
	esac
}

have_build_tools() {
	for tool in cc make autoreconf automake pkg-config objdump openssl; do
		command -v "$tool" >/dev/null 2>&1 || return 1
	done
	pkg-config --exists gnutls libgsasl inih libidn2 &&
		printf '#include <crypt.h>\n' | cc -E - >/dev/null 2>&1
}

# What building needs, when something of it is missing.
install_build_tools() {
	have_build_tools && return
	say "installing what building needs"
	case $(manager) in
	apt-get)
		install_packages gcc make autoconf automake pkg-config binutils libc6-dev \
			libcrypt-dev libgnutls28-dev libgsasl-dev libinih-dev libidn2-dev \
			openssl ca-certificates ;;
	dnf)
		install_packages gcc make autoconf automake pkgconf-pkg-config binutils \
			libxcrypt-devel gnutls-devel libgsasl-devel inih-devel libidn2-devel openssl ;;
	apk)
		install_packages build-base autoconf automake pkgconf gnutls-dev gsasl-dev \
			inih-dev libidn2-dev openssl ca-certificates ;;
	pacman)
		install_packages base-devel gnutls gsasl libinih libidn2 libxcrypt openssl ;;
	brew)
		install_packages autoconf automake pkg-config gnutls gsasl inih libidn2 openssl ;;
	*)
		die "install a C compiler, make, autoconf, automake, pkg-config, binutils, openssl" \
			"and the headers of gnutls, libgsasl, inih, libidn2, libcrypt" ;;
	esac
	have_build_tools || die "something that building needs is still missing: see ./configure"
}

cores() {
	getconf _NPROCESSORS_ONLN 2>/dev/null || echo 2
}

# build FOLDER CONFIGURE-ARGUMENT...
build() {
	folder=$1
	shift
	[ -x "$top/configure" ] && [ "$top/configure" -nt "$top/configure.ac" ] &&
		[ "$top/Makefile.in" -nt "$top/Makefile.am" ] ||
		(cd "$top" && autoreconf -i >/dev/null) || die "autoreconf failed"
	mkdir -p "$folder"
	if [ ! -f "$folder/Makefile" ] || [ "$top/configure" -nt "$folder/config.status" ]; then
		(cd "$folder" && "$top/configure" -q "$@") || die "configure failed"
	fi
	make -s -C "$folder" -j"$(cores)" || die "the build failed"
}
