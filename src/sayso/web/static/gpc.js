// Browsers that say so to scripts only (navigator.globalPrivacyControl) get the same offer.
const offer = document.getElementById("gpc");
if (offer && navigator.globalPrivacyControl === true) offer.hidden = false;
