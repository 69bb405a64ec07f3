"""From history to scores the dialer can trust: tables, learners, calibration, evaluation, registry."""
