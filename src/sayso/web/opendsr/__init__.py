"""OpenDSR 2 and 3 (OpenGDPR before), for the one right that is met here: to object to AI training.

https://github.com/opengdpr/OpenDSR, specification.md; the shapes of its versions 2 and 3 are those
of https://docs.mparticle.com/developers/apis/dsr-api/.
"""
