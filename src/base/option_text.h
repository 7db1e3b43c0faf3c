/*-------------------------------------------------------------------------
 * option_text.h
 *	  The canonical texts of options' values.
 *
 * src/base/option_text.h
 *-------------------------------------------------------------------------
 */
#ifndef KS_BASE_OPTION_TEXT_H
#define KS_BASE_OPTION_TEXT_H

#include "base/options.h"

/* The value of a canonical text, with the range not looked at; false when it is none. */
extern bool ks_option_text_value(const KsOption *option, const char *text, int64 *value);

/* Is the value in the range of the option?  The maximum of now. */
extern int64 ks_option_max(const KsOption *option);
extern bool ks_option_in_range(const KsOption *option, int64 value);

/*
 * The canonical text of what the user gave under one of its names, as text or as a
 * number; NULL when it is no value of the option.
 */
extern char *ks_option_canonical(const KsOption *option, bool kafka, bool is_number, char *text);

/* A whole number in decimal. */
extern bool ks_option_parse_integer(const char *text, int64 *value);

#endif /* KS_BASE_OPTION_TEXT_H */
