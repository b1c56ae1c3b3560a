#include "config.h"
#include "util/fault.h"

#include <stdbool.h>
#include <sysexits.h>

/* Arrays, no pointers: nothing has to be relocated when the program starts. */
static const struct fault_row {
	char name[32], status[8];
	int exit;
	enum next next;
	bool host;
} table[FAULT_COUNT] = {
	[FAULT_NONE] = { "", "", 0, NEXT_NEVER, false },
#define F(name, word, exit, status, next, host) \
	[FAULT_##name] = { word, status, exit, NEXT_##next, host },
	FAULTS(F)
#undef F
};

static const enum next phases[PHASE_COUNT][NEXT_COUNT] = {
#define P(phase, slowly, address, server, later, never) \
	[PHASE_##phase] = { [NEXT_SLOWLY] = NEXT_##slowly, [NEXT_ADDRESS] = NEXT_##address, \
			    [NEXT_SERVER] = NEXT_##server, [NEXT_LATER] = NEXT_##later, \
			    [NEXT_NEVER] = NEXT_##never },
	PHASES(P)
#undef P
};

enum next fault_next(enum fault fault, enum phase phase)
{
	return phases[phase][table[fault].next];
}

const char *fault_name(enum fault fault)
{
	return table[fault].name;
}

int fault_exit(enum fault fault)
{
	return table[fault].exit;
}

const char *fault_status(enum fault fault)
{
	return table[fault].status;
}

bool fault_names_host(enum fault fault)
{
	return table[fault].host;
}
