"""`periplus support-bundle`: what somebody who helps has to see, without what nobody outside may see."""
